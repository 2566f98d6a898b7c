// SPDX-License-Identifier: Apache-2.0
#include "node/doctor/examination.hpp"

#include <algorithm>
#include <fstream>
#include <set>

#include <catch2/catch.hpp>

#include "tests/support/scratch.hpp"
#include "tests/support/without_nf_tables.hpp"

using namespace forkfleet;

namespace {

struct examined {
  test::scratch_directory place = {};
  doctor::examination what = {.data = place.path(),
                              .users = parse_uid_range("none").value()};

  host_check find(const std::string& name) const {
    const auto all = doctor::examine(what);
    const auto found = std::ranges::find(all, name, &host_check::name);
    REQUIRE(found != all.end());
    return *found;
  }
};

} // namespace

TEST_CASE_METHOD(examined, "every respect is told once, and how to mend it",
                 "[node][doctor]") {
  const auto all = doctor::examine(what);
  std::set<std::string> names;
  for (const auto& x : all) {
    INFO(x.name << ": " << x.found);
    CHECK(names.insert(x.name).second);
    CHECK_FALSE(x.found.empty());
    CHECK(x.found.size() <= check_text_max);
    CHECK(x.remedy.empty() == (x.state == check_state::ok));
  }
  const std::set<std::string> wanted{
    "kvm",         "qemu",        "userfaultfd", "capture",
    "confinement", "cgroups",     "nf_tables",   "namespaces",
    "data",        "descriptors", "mappings",    "clock"};
  CHECK(names == wanted);
}

TEST_CASE_METHOD(examined, "what is missing is bad, and has its reason",
                 "[node][doctor]") {
  test::without_nf_tables([this] {
    CHECK(find("nf_tables").state == check_state::bad);
    CHECK(find("namespaces").state == check_state::warn);
  });
  what.qemu = place.path() + "/no-qemu";
  CHECK(find("qemu").state == check_state::bad);
  what.data = "/proc/no/such/place";
  CHECK(find("data").state == check_state::bad);
}

TEST_CASE_METHOD(examined, "a VM without a user of its own is told of",
                 "[node][doctor][safety]") {
  CHECK(find("confinement").state == check_state::warn);
  CHECK_THAT(doctor::confinement_text(what),
             Catch::Contains("no own user: hosts[].vm_uids is none"));
  CHECK(doctor::own_user_obstacle(what) == "hosts[].vm_uids is none");
}

TEST_CASE_METHOD(examined,
                 "a data directory that is yet to be made is examined "
                 "where it is going to be",
                 "[node][doctor]") {
  what.data = place.path() + "/not/yet";
  CHECK_THAT(find("data").found, Catch::Contains(place.path()));
  CHECK(find("data").state == check_state::ok);
}
