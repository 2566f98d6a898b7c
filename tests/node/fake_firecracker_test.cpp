// SPDX-License-Identifier: Apache-2.0
// The fake is as strict as what it stands for: a driver that is wrong about
// Firecracker fails here, not on a host with KVM.
#include "tests/support/fake_firecracker.hpp"

#include <catch2/catch.hpp>

#include "tests/support/fake_snapshot.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

struct fake_fixture {
  scratch_directory home;

  static fake_firecracker make(const std::string& version = "1.12.0") {
    return {firecracker::parse_version(version).value(), "test"};
  }
  static std::string fault(const fake_answer& x) {
    CHECK(x.code == 400);
    return x.body;
  }
  static void boot(fake_firecracker& vm, bool tracks = true,
                   uint64_t memory_mib = 8) {
    REQUIRE(put(vm, "/boot-source", R"({"kernel_image_path":"/dev/null"})").code
            == 204);
    const auto body = R"({"vcpu_count":1,"mem_size_mib":)"
                      + std::to_string(memory_mib) + R"(,"track_dirty_pages":)"
                      + (tracks ? "true}" : "false}");
    REQUIRE(put(vm, "/machine-config", body).code == 204);
    REQUIRE(put(vm, "/actions", R"({"action_type":"InstanceStart"})").code
            == 204);
  }
  static fake_answer put(fake_firecracker& vm, const std::string& target,
                         const std::string& body) {
    return vm.answer({"PUT", target, body});
  }
  static fake_answer set(fake_firecracker& vm, const std::string& state) {
    return vm.answer({"PATCH", "/vm", R"({"state":")" + state + R"("})"});
  }
  std::string create_body(const std::string& kind) const {
    return R"({"snapshot_type":")" + kind + R"(","snapshot_path":")"
           + home.path() + R"(/s","mem_file_path":")" + home.path() + R"(/m"})";
  }
  std::string load_body(const std::string& more = {}) const {
    return R"({"snapshot_path":")" + home.path()
           + R"(/s","mem_backend":{"backend_type":"File","backend_path":")"
           + home.path() + R"(/m"})" + more + "}";
  }
};

bool says(const std::string& body, const std::string& words) {
  return body.find(words) != std::string::npos;
}

} // namespace

TEST_CASE_METHOD(fake_fixture, "an unknown key and a wrong type are refused",
                 "[node][fake_firecracker]") {
  auto vm = make();
  const auto* body =
    GENERATE(R"({"vcpu_count":1,"mem_size_mib":8,"novel":1})",
             R"({"vcpu_count":"1","mem_size_mib":8})", R"({"vcpu_count":1})",
             R"({"vcpu_count":1,"mem_size_mib":8)");
  CHECK(says(fault(put(vm, "/machine-config", body)), "deserializing"));
}

TEST_CASE_METHOD(fake_fixture, "what a version does not know is refused",
                 "[node][fake_firecracker]") {
  auto old = make("1.12.0");
  CHECK(says(fault(put(old, "/serial", R"({"serial_out_path":"/x"})")),
             "Invalid request method"));
  CHECK(says(fault(put(old, "/snapshot/load",
                       load_body(R"(,"track_dirty_pages":true)"))),
             "unknown field"));
  auto later = make("1.14.2");
  CHECK(put(later, "/serial", R"({"serial_out_path":"/x"})").code == 204);
}

TEST_CASE_METHOD(fake_fixture, "each call has its time",
                 "[node][fake_firecracker]") {
  auto vm = make();
  CHECK(says(fault(set(vm, "Paused")), "before starting"));
  CHECK(says(fault(put(vm, "/snapshot/create", create_body("Full"))),
             "before starting"));
  CHECK(says(fault(put(vm, "/actions", R"({"action_type":"InstanceStart"})")),
             "without kernel"));
  boot(vm);
  CHECK(
    says(fault(put(vm, "/boot-source", R"({"kernel_image_path":"/dev/null"})")),
         "after starting"));
  CHECK(says(fault(put(vm, "/snapshot/create", create_body("Full"))),
             "unavailable while running"));
  CHECK(set(vm, "Paused").code == 204);
  CHECK(set(vm, "Paused").code == 204);
  CHECK(put(vm, "/snapshot/create", create_body("Full")).code == 204);
  CHECK(set(vm, "Resumed").code == 204);
}

TEST_CASE_METHOD(fake_fixture, "a diff without tracking is of its time",
                 "[node][fake_firecracker]") {
  const auto [version, is_allowed] =
    GENERATE(table<std::string, bool>({{"1.12.0", false}, {"1.13.0", true}}));
  auto vm = make(version);
  boot(vm, false);
  REQUIRE(set(vm, "Paused").code == 204);
  CHECK((put(vm, "/snapshot/create", create_body("Diff")).code == 204)
        == is_allowed);
}

TEST_CASE_METHOD(fake_fixture, "a load that fails is the end of the process",
                 "[node][fake_firecracker]") {
  auto vm = make();
  const auto answer = put(vm, "/snapshot/load", load_body());
  CHECK(says(fault(answer), "Failed to get snapshot state from file"));
  CHECK(answer.ends_server);
  CHECK(vm.exit_code() == 152);
  auto booting = make();
  REQUIRE(
    put(booting, "/boot-source", R"({"kernel_image_path":"/dev/null"})").code
    == 204);
  const auto late = put(booting, "/snapshot/load", load_body());
  CHECK(says(fault(late), "not allowed after configuring"));
  CHECK_FALSE(late.ends_server);
}

TEST_CASE_METHOD(fake_fixture,
                 "a second create of one pause is not to be "
                 "trusted",
                 "[node][fake_firecracker][safety]") {
  auto vm = make();
  boot(vm);
  REQUIRE(put(vm, "/fake", R"({"write_pages":50,"writes":0})").code == 204);
  REQUIRE(set(vm, "Paused").code == 204);
  REQUIRE(put(vm, "/snapshot/create", create_body("Full")).code == 204);
  CHECK(read_guest(home.path() + "/m", home.path() + "/s"));
  REQUIRE(put(vm, "/snapshot/create", create_body("Full")).code == 204);
  CHECK_FALSE(read_guest(home.path() + "/m", home.path() + "/s"));
}

TEST_CASE_METHOD(fake_fixture,
                 "a diff that was written elsewhere misses what "
                 "went before",
                 "[node][fake_firecracker][safety]") {
  auto vm = make();
  boot(vm);
  REQUIRE(put(vm, "/fake", R"({"write_pages":300,"writes":0})").code == 204);
  REQUIRE(set(vm, "Paused").code == 204);
  REQUIRE(put(vm, "/snapshot/create", create_body("Diff")).code == 204);
  REQUIRE(set(vm, "Resumed").code == 204);
  CHECK(read_guest(home.path() + "/m", home.path() + "/s"));
  REQUIRE(put(vm, "/fake", R"({"write_pages":5})").code == 204);
  REQUIRE(set(vm, "Paused").code == 204);
  SECTION("merged in place it is whole") {
    REQUIRE(put(vm, "/snapshot/create", create_body("Diff")).code == 204);
    CHECK(read_guest(home.path() + "/m", home.path() + "/s"));
  }
  SECTION("of another size the file is emptied first") {
    REQUIRE(::truncate((home.path() + "/m").c_str(), 4096) == 0);
    REQUIRE(put(vm, "/snapshot/create", create_body("Diff")).code == 204);
    CHECK_FALSE(read_guest(home.path() + "/m", home.path() + "/s"));
  }
}
