// SPDX-License-Identifier: Apache-2.0
// What goes along in an archive beside memory, vmstate and disks.
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/support/scratch.hpp"
#include "tests/support/storage.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

/// A host with a chain of two, and another host.
struct company_fixture {
  scratch_directory home;
  store_world world{home.path() + "/one"};
  store_world other{home.path() + "/two"};
  std::string path = home.path() + "/snapshot.tar.zst";

  company_fixture() {
    REQUIRE(world.branch("op-base", "base", 3));
    branch_over_base("op-top", "top");
  }

  void branch_over_base(const std::string& operation, const std::string& tag) {
    REQUIRE(world.branch_over(
      world.request_over(operation, tag, "base"), [](memory_sink& sink) {
        REQUIRE(sink.write(0, std::vector<uint8_t>(page, 9)));
      }));
  }
};

} // namespace

TEST_CASE_METHOD(company_fixture, "what is said of a snapshot goes along",
                 "[storage][archive]") {
  const label_change said{
    .labels = {"keep=yes", "stage=warm"}, .has_note = true, .note = "booted"};
  const std::string tag = GENERATE("base", "top");
  REQUIRE(world->annotate({tag}, said));
  REQUIRE(world->export_to({tag}, path, {}));
  const auto in = other->import_from(path, {"again"}, {});
  REQUIRE(in);
  CHECK(in->info.labels == said.labels);
  CHECK(in->info.note == "booted");
  other.restart();
  CHECK(other->problems().empty());
  REQUIRE(other->list().size() == 1);
  CHECK(other->list()[0].labels == said.labels);
  CHECK(other->list()[0].note == "booted");
  // What is changed there stays there.
  REQUIRE(other->annotate({"again"}, {.dropped = {"keep", "stage"}}));
  CHECK(world->annotate({tag}, {})->labels == said.labels);
}

TEST_CASE_METHOD(company_fixture, "the limits of its source go along",
                 "[storage][archive]") {
  const sandbox_limits limits{.memory_bytes = 512 * mib, .pids = 200};
  world.limits = limits;
  branch_over_base("op-3", "limited");
  REQUIRE(world->export_to({"limited"}, path, {}));
  const auto in = other->import_from(path, {"again"}, {});
  REQUIRE(in);
  CHECK(in->info.limits == limits);
  other.restart();
  REQUIRE(other->list().size() == 1);
  CHECK(other->list()[0].limits == limits);
  CHECK(other->verify({"again"}, {}));
  world.restart();
  for (const auto& info : world->list())
    CHECK(info.limits
          == (info.tag.value == "limited" ? limits : sandbox_limits{}));
}
