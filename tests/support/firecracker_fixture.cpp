// SPDX-License-Identifier: Apache-2.0
#include "tests/support/firecracker_fixture.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "node/firecracker/http_client.hpp"
#include "node/qemu/process.hpp"
#include "node/simulated/guest.hpp"
#include "tests/conformance/flat_files.hpp"

namespace forkfleet::test {

namespace {

using firecracker::http_client;
using firecracker::http_verb;
using schema::json;

constexpr auto patience = std::chrono::seconds{20};
const std::string built_programs = FORKFLEET_BUILT_PROGRAMS;

deadline_point later() {
  return std::chrono::steady_clock::now() + patience;
}

std::string call_of(stage which) {
  switch (which) {
    case stage::pause:
      return "pause";
    case stage::capture:
      return "create";
    case stage::resume:
      return "resume";
    default:
      return {};
  }
}

void make_private(const std::string& path) {
  std::filesystem::create_directory(path);
  REQUIRE(::chmod(path.c_str(), 0700) == 0);
}

/// The fake under a name that ends in the version.
std::string link_fake(const std::string& home, const std::string& version) {
  auto path = home + "/firecracker-" + version;
  std::filesystem::create_symlink(built_programs + "/fake_firecracker", path);
  return path;
}

/// A directory on tmpfs; elsewhere when there is none.
std::string make_fast_directory() {
  auto path = std::string{"/dev/shm/forkfleet-test-XXXXXX"};
  return ::mkdtemp(path.data()) ? path : std::string{"/nowhere"};
}

} // namespace

firecracker_subject::firecracker_subject(const std::string& version)
  : fast_directory_{make_fast_directory()}, version_{version},
    program_{link_fake(home_.path(), version)},
    driver_{{.firecracker = program_,
             .keeper = built_programs + "/forkfleet-keeper",
             .fast_directory = fast_directory_}} {
  make_private(vm_directory());
  make_private(home() + "/child");
}

firecracker_subject::~firecracker_subject() {
  auto error = std::error_code{};
  std::filesystem::remove_all(fast_directory_, error);
}

std::string firecracker_subject::program(const std::string& habit) const {
  return link_fake(home_.path(), habit + "-" + version_);
}

start_plan firecracker_subject::plan() {
  auto spec = config::sandbox_section{};
  spec.driver = config::driver_kind::firecracker;
  spec.kernel = "/dev/null";
  spec.memory = {16 << 20};
  spec.vcpus = 2;
  return {.id = {"vm"},
          .directory = vm_directory(),
          .spec = spec,
          .leash_pid = ::getpid()};
}

start_plan firecracker_subject::child_plan(const taken_snapshot& parent) {
  auto result = plan();
  result.id = {"child"};
  result.directory = home() + "/child";
  result.snapshot = snapshot_files{
    .info = {.root_hash = parent.root_hash, .origin = snapshot_origin::sealed},
    .contract = parent.contract,
    .memory = write_flat(*parent.memory, home() + "/memory"),
    .vmstate_path = parent.vmstate_path,
    .is_vouched = true};
  return result;
}

std::string firecracker_subject::new_vmstate_path() {
  return home() + "/vmstate" + std::to_string(++files_);
}

void firecracker_subject::tell(const std::string& directory,
                               const std::string& body) {
  auto http = http_client{directory + "/api.sock"};
  const auto done = http.call(
    {.verb = http_verb::put, .target = "/fake", .body = body}, later());
  REQUIRE(done);
  REQUIRE(done->code == 204);
}

json firecracker_subject::ask(const std::string& directory) {
  auto http = http_client{directory + "/api.sock"};
  const auto told = http.call({.target = "/fake"}, later());
  REQUIRE(told);
  return schema::parse_json(told->body).value();
}

void firecracker_subject::let_guest_write(vmm& vm) {
  tell(directory_of(vm), R"({"write_pages":20})");
}

expected<uint64_t>
firecracker_subject::progress_of(const taken_snapshot& snapshot) {
  const auto state = read_state(snapshot.vmstate_path);
  if (!state)
    return tl::unexpected(state.error());
  return read_guest(*snapshot.memory, *state).map([](const guest_image& x) {
    return x.tick;
  });
}

expected<uint64_t> firecracker_subject::progress_of(vmm& vm) {
  return ask(directory_of(vm))["tick"].get<uint64_t>();
}

bool firecracker_subject::break_next(stage which, bool is_done_all_the_same) {
  const auto call = call_of(which);
  if (call.empty())
    return false;
  auto body = json{{"call", call}};
  if (is_done_all_the_same)
    body["loses_answer"] = true;
  else
    body["fault"] = "the test does not want it";
  tell(vm_directory(), schema::dump(body));
  return true;
}

bool firecracker_subject::hang_next(stage which) {
  const auto call = call_of(which);
  if (call.empty())
    return false;
  tell(vm_directory(), schema::dump(json{{"call", call}, {"delay_ms", 700u}}));
  return true;
}

void firecracker_subject::kill_vm(vmm& vm) {
  const auto pidfd = qemu::open_pid(static_cast<pid_t>(vm.describe().pid));
  qemu::send_signal(pidfd.get(), SIGKILL);
  REQUIRE(qemu::wait_for_end(pidfd.get(), later()));
}

std::string directory_of(const vmm& vm) {
  return std::filesystem::path{vm.describe().console}.parent_path();
}

} // namespace forkfleet::test
