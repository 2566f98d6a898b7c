// SPDX-License-Identifier: Apache-2.0
#include "tests/conformance/capturing.hpp"

#include <atomic>
#include <fcntl.h>

#include <catch2/catch.hpp>
#include <fmt/format.h>

namespace forkfleet::test {

namespace {

constexpr auto patience = std::chrono::seconds{20};

// Root hashes of the cases: any text that is new.
std::string new_root_hash() {
  static std::atomic<uint64_t> count = 0;
  return fmt::format("{:064x}", ++count);
}

} // namespace

deadline_point capturing::soon() const {
  return subject_.now() + patience;
}

capture_plan& capturing::plan(branch_mode mode, const taken_snapshot& base) {
  const bool is_diff = mode == branch_mode::diff;
  const auto memory_bytes = vm_.describe().memory_bytes;
  memory_ = std::make_shared<captured_memory>(
    memory_bytes, is_diff ? base.memory : memory_image_ptr{});
  vmstate_path_ = subject_.new_vmstate_path();
  vmstate_ = std::make_shared<unique_fd>(::open(
    vmstate_path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  REQUIRE(vmstate_->get() >= 0);
  plan_ = {.operation = {"op"},
           .mode = mode,
           .scope = is_diff ? capture_scope::changed : capture_scope::all,
           .base = is_diff ? capture_base{base.root_hash, base.memory}
                           : capture_base{},
           .memory = memory_.get(),
           .vmstate_fd = vmstate_->get(),
           .pause_max = std::chrono::seconds{10}};
  return plan_;
}

status capturing::run_to(stage last) {
  auto prepared = vm_.prepare(plan_, soon());
  if (!prepared)
    return tl::unexpected(prepared.error());
  if (last >= stage::pause)
    if (auto done = vm_.pause(soon()); !done)
      return done;
  if (last >= stage::capture)
    if (auto done = vm_.capture(soon()); !done)
      return done;
  if (last >= stage::resume)
    if (auto done = vm_.resume(soon()); !done)
      return done;
  if (last >= stage::drain)
    return vm_.drain(soon()).map([](const capture_result&) {});
  return {};
}

expected<capture_result> capturing::run() {
  if (auto done = run_to(stage::resume); !done)
    return tl::unexpected(done.error());
  return vm_.drain(soon());
}

taken_snapshot capturing::drained() const {
  return {.memory = memory_,
          .vmstate_path = vmstate_path_,
          .contract = vm_.contract()};
}

taken_snapshot capturing::seal() {
  auto result = drained();
  result.root_hash = new_root_hash();
  vm_.commit(result.root_hash);
  return result;
}

taken_snapshot capturing::take(branch_mode mode, const taken_snapshot& base) {
  plan(mode, base);
  const auto result = run();
  INFO((result ? "captured" : to_string(result.error())));
  REQUIRE(result);
  CHECK(result->memory_bytes == vm_.describe().memory_bytes);
  CHECK(result->vmstate_bytes > 0);
  CHECK_FALSE(result->method.empty());
  return seal();
}

vmm_ptr start_vm(conformance_subject& subject) {
  auto vm = subject.driver().start(subject.plan(), subject.now() + patience);
  INFO((vm ? "started" : to_string(vm.error())));
  REQUIRE(vm);
  subject.let_guest_write(**vm);
  return *vm;
}

uint64_t check_snapshot(conformance_subject& subject,
                        const taken_snapshot& snapshot, uint64_t least) {
  const auto progress = subject.progress_of(snapshot);
  INFO((progress ? "is of one instant" : to_string(progress.error())));
  REQUIRE(progress);
  CHECK(*progress >= least);
  return *progress;
}

void check_guest_runs(conformance_subject& subject, vmm& vm) {
  CHECK(vm.health(subject.now() + patience) == vmm_health::running);
  const auto before = subject.progress_of(vm);
  REQUIRE(before);
  subject.let_guest_write(vm);
  const auto after = subject.progress_of(vm);
  REQUIRE(after);
  CHECK(*after > *before);
}

} // namespace forkfleet::test
