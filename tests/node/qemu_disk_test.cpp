// SPDX-License-Identifier: Apache-2.0
// Guests that write a disk while they are branched: each line sees its own
// blocks, and the base stays as it is.
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "actors/durable_file.hpp"
#include "node/qemu/disk_layers.hpp"
#include "node/storage/file.hpp"
#include "node/storage/sealed_disks.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/vm_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

constexpr uint64_t base_bytes = 8ull << 20;

struct disk_fixture : vm_fixture {
  std::string base = home() + "/base.raw";

  start_plan plan_with_disk(const std::string& name) {
    if (!path_exists(base)) {
      const auto fd = open_file(base, O_RDWR | O_CREAT);
      REQUIRE(fd);
      REQUIRE(resize_file(fd->get(), base_bytes, base));
    }
    auto result = plan(name);
    result.spec.append += " ff.disk=1";
    result.spec.disks = {{.path = base, .format = "raw"}};
    return result;
  }

  bool is_base_untouched() const {
    return stored_bytes(base) == 0
           && std::filesystem::file_size(base) == base_bytes;
  }

  std::size_t layers_in(const std::string& name) const {
    std::size_t count = 0;
    const auto names = list_directory(home() + "/" + name);
    REQUIRE(names);
    for (const auto& each : *names)
      count += each.ends_with(".qcow2") ? 1 : 0;
    return count;
  }

  // What was captured up to the pause and no further.
  void give_up_after_capture(vmm& vm, const std::string& name) {
    auto made = make_snapshot(name, vm);
    REQUIRE(vm.prepare(made.plan(branch_mode::full), soon()));
    REQUIRE(vm.pause(soon()));
    REQUIRE(vm.capture(soon()));
    REQUIRE(vm.resume(soon()));
    vm.abandon();
  }
};

} // namespace

TEST_CASE_METHOD(disk_fixture, "each line of branches sees its own blocks",
                 "[node][qemu][disk_layers][vm][safety]") {
  if (!can_run())
    return;
  const bool tracked = GENERATE(true, false);
  const auto source = tracked ? start(plan_with_disk("source"))
                              : start_untracked(plan_with_disk("source"));
  check_guest(*source, 2500);
  auto lines = std::vector<vmm_ptr>{source};
  for (int level = 0; level < 3; ++level) {
    const auto name = "snap-" + std::to_string(level);
    const auto files = branch(*lines.back(), branch_mode::full, name);
    REQUIRE(files.disks.size() == 1);
    CHECK(files.disks[0].layers.size() == static_cast<std::size_t>(level) + 1);
    lines.push_back(restore(files, "child-" + std::to_string(level)));
    lines.push_back(restore(files, "other-" + std::to_string(level)));
    // All of them write at once.
    for (const auto& vm : lines)
      check_guest(*vm, 300);
  }
  for (const auto& vm : lines)
    check_guest(*vm, 2500);
  CHECK(is_base_untouched());
}

TEST_CASE_METHOD(disk_fixture, "a guest sees a disk of another instant",
                 "[node][qemu][disk_layers][vm][safety]") {
  if (!can_run())
    return;
  const auto source = start(plan_with_disk("source"));
  check_guest(*source, 2500);
  auto early = branch(*source, branch_mode::full, "early");
  check_guest(*source, 1000);
  auto late = branch(*source, branch_mode::full, "late");
  late.disks = early.disks;
  const auto child = restore(late, "child");
  const auto watch = vm_fixture::watch(*child);
  CHECK(watch->wait_for_counter(watch->last()->counter + 5000, soon()));
  CHECK(watch->state().errors > 0);
}

TEST_CASE_METHOD(disk_fixture, "diffs have disks as full snapshots do",
                 "[node][qemu][disk_layers][vm]") {
  if (!can_run())
    return;
  const auto source = start(plan_with_disk("source"));
  const auto allowed = source->capabilities(soon());
  REQUIRE(allowed);
  if (!allowed->diff_is_tracked)
    return skip("memory cannot be tracked here");
  check_guest(*source, 500);
  static_cast<void>(branch(*source, branch_mode::full, "first"));
  check_guest(*source, 500);
  const auto second = diff(*source, "first", "second");
  CHECK(second.disks.at(0).layers.size() == 2);
  const auto child = restore(second, "child");
  check_guest(*child, 2500);
  check_guest(*source, 2500);
}

TEST_CASE_METHOD(disk_fixture, "a long chain of layers is made short",
                 "[node][qemu][disk_layers][vm]") {
  if (!can_run())
    return;
  const auto source = start(plan_with_disk("source"));
  check_guest(*source, 500);
  for (std::size_t i = 0; i < qemu::disk_layers_max + 2; ++i)
    give_up_after_capture(*source, "lost-" + std::to_string(i));
  CHECK(layers_in("source") <= qemu::disk_layers_max);
  const auto files = branch(*source, branch_mode::full, "after");
  CHECK(files.disks.at(0).layers.size() < qemu::disk_layers_max);
  const auto child = restore(files, "child");
  check_guest(*child, 2500);
  check_guest(*source, 2500);
  CHECK(is_base_untouched());
}

TEST_CASE_METHOD(disk_fixture, "an abandoned branch leaves no layer behind",
                 "[node][qemu][disk_layers][vm]") {
  if (!can_run())
    return;
  const auto source = start(plan_with_disk("source"));
  check_guest(*source, 500);
  auto made = make_snapshot("lost", *source);
  REQUIRE(source->prepare(made.plan(branch_mode::full), soon()));
  CHECK(layers_in("source") == 2);
  source->abandon();
  CHECK(layers_in("source") == 1);
  check_guest(*source, 500);
}

TEST_CASE_METHOD(disk_fixture,
                 "a node killed around the freeze leaves a disk that is right",
                 "[node][qemu][disk_layers][vm][safety]") {
  if (!can_run())
    return;
  const int steps = GENERATE(1, 2, 3, 4);
  CAPTURE(steps);
  const auto what = plan_with_disk("source");
  auto vm = start(what);
  check_guest(*vm, 500);
  auto lost = make_snapshot("lost", *vm);
  forget(vm);
  const int code = in_other_process([&] {
    auto mine = driver().adopt(what, soon());
    bool done = mine && (*mine)->prepare(lost.plan(branch_mode::full), soon());
    done = done && (steps < 2 || (*mine)->pause(soon()));
    done = done && (steps < 3 || (*mine)->capture(soon()));
    done = done && (steps < 4 || (*mine)->resume(soon()));
    if (done)
      ::raise(SIGKILL);
    ::_exit(2);
  });
  REQUIRE(WIFSIGNALED(code));
  const auto found = adopt(what);
  wait_until_running(*found);
  check_guest(*found, 500);
  const auto files = branch(*found, branch_mode::full, "after");
  CHECK(files.disks.at(0).layers.size() == (steps < 3 ? 1 : 2));
  const auto child = restore(files, "child");
  check_guest(*child, 2500);
  check_guest(*found, 2500);
}

TEST_CASE_METHOD(disk_fixture, "a child over a base that changed is refused",
                 "[node][qemu][disk_files][vm][safety]") {
  if (!can_run())
    return;
  const auto source = start(plan_with_disk("source"));
  check_guest(*source, 100);
  const auto files = branch(*source, branch_mode::full, "snap");
  CHECK(source->stop(soon()));
  const auto fd = open_file(base, O_RDWR);
  REQUIRE(fd);
  REQUIRE(write_at(fd->get(), std::string_view{"x"}, 0, base));
  auto child = plan("child");
  child.snapshot = files;
  const auto started = driver().start(child, soon());
  REQUIRE_FALSE(started);
  CHECK(started.error().code == ec::unsupported);
  CHECK(started.error().message.find(base) != std::string::npos);
}
