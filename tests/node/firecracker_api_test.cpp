// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <mutex>
#include <thread>

#include <catch2/catch.hpp>

#include "node/firecracker/api.hpp"
#include "tests/support/fake_http.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;
using namespace forkfleet::firecracker;
using namespace std::chrono_literals;

namespace {

deadline_point later() {
  return std::chrono::steady_clock::now() + 20s;
}

/// Answers all with what it is told, and keeps what it heard.
class parrot {
public:
  explicit parrot(std::string version) : version_{std::move(version)} {
    auto server = test::fake_http::listen(path());
    REQUIRE(server);
    thread_ = std::thread{[this, server = std::move(*server)]() mutable {
      server.run([this](const test::fake_request& x) { return answer(x); });
    }};
  }
  ~parrot() {
    static_cast<void>(
      http_client{path()}.call({.target = "/end"}, later()).has_value());
    thread_.join();
  }

  std::string path() const { return home_.path() + "/api.sock"; }
  test::fake_request heard() {
    const auto lock = std::lock_guard{mutex_};
    return heard_;
  }
  void says(test::fake_answer x) {
    const auto lock = std::lock_guard{mutex_};
    reply_ = std::move(x);
  }

private:
  test::fake_answer answer(const test::fake_request& x) {
    if (x.target == "/end")
      return {.ends_server = true};
    if (x.target == "/version")
      return {.code = 200,
              .body = R"({"firecracker_version":")" + version_ + R"("})"};
    const auto lock = std::lock_guard{mutex_};
    heard_ = x;
    return reply_;
  }

  test::scratch_directory home_;
  std::string version_;
  std::mutex mutex_;
  test::fake_request heard_;
  test::fake_answer reply_;
  std::thread thread_;
};

} // namespace

TEST_CASE("each call has the path, the method and the body that it must have",
          "[node][firecracker_api]") {
  auto vm = parrot{"1.12.0"};
  auto it = api{vm.path()};
  REQUIRE(it.set(boot_source{.kernel = "/k", .arguments = "quiet"}, later()));
  CHECK(vm.heard().method == "PUT");
  CHECK(vm.heard().target == "/boot-source");
  CHECK(vm.heard().body == R"({"kernel_image_path":"/k","boot_args":"quiet"})");
  REQUIRE(it.set(
    machine_config{.vcpus = 2, .memory_bytes = 256ull << 20, .tracks = true},
    later()));
  CHECK(vm.heard().target == "/machine-config");
  CHECK(vm.heard().body
        == R"({"vcpu_count":2,"mem_size_mib":256,"track_dirty_pages":true})");
  REQUIRE(it.add({.id = "d0", .path = "/d", .is_readonly = true}, later()));
  CHECK(vm.heard().target == "/drives/d0");
  REQUIRE(it.pause(later()));
  CHECK(vm.heard().method == "PATCH");
  CHECK(vm.heard().target == "/vm");
  CHECK(vm.heard().body == R"({"state":"Paused"})");
  REQUIRE(it.create(snapshot_kind::diff, {"/s", "/m"}, later()));
  CHECK(vm.heard().target == "/snapshot/create");
  CHECK(vm.heard().body
        == R"({"snapshot_type":"Diff","snapshot_path":"/s",)"
           R"("mem_file_path":"/m"})");
  REQUIRE(it.resume(later()));
  CHECK(vm.heard().body == R"({"state":"Resumed"})");
}

TEST_CASE("a load says tracking in the version's own words",
          "[node][firecracker_api]") {
  const auto [version, key] = GENERATE(table<std::string, std::string>(
    {{"1.12.1", "enable_diff_snapshots"}, {"1.13.0", "track_dirty_pages"}}));
  auto vm = parrot{version};
  auto it = api{vm.path()};
  REQUIRE(it.load({"/s", "/m"}, later()));
  CHECK(vm.heard().target == "/snapshot/load");
  CHECK(vm.heard().body
        == R"({"snapshot_path":"/s","mem_backend":{"backend_type":"File",)"
           R"("backend_path":"/m"},"resume_vm":false,")"
             + key + R"(":true})");
}

TEST_CASE("what Firecracker says of itself is understood",
          "[node][firecracker_api]") {
  auto vm = parrot{"1.12.0"};
  auto it = api{vm.path()};
  CHECK(it.version(later()) == vmm_version{1, 12, 0});
  vm.says({.code = 200, .body = R"({"id":"x","state":"Not started"})"});
  CHECK(it.state(later()) == instance_state::not_started);
  vm.says({.code = 200, .body = R"({"id":"x","state":"Sleeping"})"});
  CHECK(it.state(later()).error().code == ec::unsupported);
  vm.says({.code = 200,
           .body = R"({"vcpu_count":2,"mem_size_mib":512,"smt":false,)"
                   R"("track_dirty_pages":true})"});
  CHECK(it.machine(later()) == machine_config{2, 512ull << 20, true});
  vm.says({.code = 200,
           .body = R"({"drives":[{"drive_id":"d","path_on_host":"/d",)"
                   R"("is_root_device":false,"is_read_only":true}]})"});
  const auto drives = it.drives(later());
  REQUIRE(drives);
  CHECK(*drives == std::vector{drive{"d", "/d", false, true}});
}

TEST_CASE("a fault has our code and Firecracker's words",
          "[node][firecracker_api]") {
  const auto [fault, code] = GENERATE(table<std::string, ec>(
    {{"The requested operation is not supported before starting the microVM.",
      ec::vmm_refused},
     {"Create snapshot error: Cannot write memory file: No space left on "
      "device (os error 28)",
      ec::disk_full},
     {"Create snapshot error: Cannot perform sync_all on the memory backing "
      "file: Disk quota exceeded (os error 122)",
      ec::quota_exceeded},
     {"An error occurred when deserializing the json body of a request: "
      "unknown field `x`",
      ec::unsupported}}));
  auto vm = parrot{"1.12.0"};
  auto it = api{vm.path()};
  vm.says({.code = 400, .body = R"({"fault_message":")" + fault + R"("})"});
  const auto done = it.pause(later());
  REQUIRE_FALSE(done);
  CHECK(done.error().code == code);
  CHECK(done.error().message.find(fault) != std::string::npos);
}

TEST_CASE("a version that is too old is not driven",
          "[node][firecracker_api]") {
  auto vm = parrot{"0.25.2"};
  auto it = api{vm.path()};
  CHECK(it.version(later()).error().code == ec::unsupported);
}
