// SPDX-License-Identifier: Apache-2.0
// The children of a QEMU guest.
#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>

#include <fmt/format.h>

#include "node/agent/guest_agent.hpp"
#include "node/agent/identity.hpp"
#include "node/bench/fork_batch.hpp"
#include "node/bench/guest_vm.hpp"
#include "node/bench/memory_use.hpp"
#include "node/bench/timing.hpp"
#include "node/qemu/qemu_driver.hpp"

namespace forkfleet::bench {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto source_patience = 120s;
constexpr auto vm_limit = 120s;
constexpr auto ending_limit = 60s;
/// What a guest counts at most in a second.
constexpr double ticks_per_second = 2000;
/// So much further it must have counted to be alive.
constexpr uint64_t further = 100;
/// What lies between the count that was heard and the branch.
constexpr auto branch_slack = 2s;

/// A batch in the making.
class vm_batch {
public:
  vm_batch(const batch_plan& plan, const snapshot_files& files,
           uint64_t branch_counter)
    : plan_(plan), files_(files), branch_counter_(branch_counter),
      samples_(plan.children), vms_(plan.children), begun_(plan.children) {}
  ~vm_batch() { end(); }
  vm_batch(const vm_batch&) = delete;
  vm_batch& operator=(const vm_batch&) = delete;

  void start(const std::function<bool()>& is_over);
  void weigh();
  void listen();
  void end();
  fork_samples take_samples();

private:
  static std::string name_of(uint64_t i) {
    return fmt::format("child-{}", i + 1);
  }
  status start_one(uint64_t i);
  status listen_to(uint64_t i);

  const batch_plan& plan_;
  const snapshot_files& files_;
  const uint64_t branch_counter_;
  fork_samples samples_;
  std::vector<vmm_ptr> vms_;
  std::vector<clock::time_point> begun_;
  qemu_driver driver_{qemu_driver_settings{}};
};

/// As a node starts it and gives it its identity.
status vm_batch::start_one(uint64_t i) {
  auto& sample = samples_[i];
  const auto begun = begun_[i] = clock::now();
  const auto until = begun + vm_limit;
  const auto what = plan_child(name_of(i), plan_.directory, files_);
  if (!what)
    return tl::unexpected(what.error());
  auto vm = driver_.start(*what, until);
  if (!vm)
    return tl::unexpected(vm.error());
  vms_[i] = *vm;
  sample.started = since(begun);
  const auto receipt =
    give_identity((*vm)->describe().agent, plan_identity(what->id.value, {}),
                  wall_time, until);
  if (!receipt)
    return tl::unexpected(receipt.error());
  sample.ready = since(begun);
  sample.identity = receipt->hostname + " " + receipt->machine_id;
  sample.entropy = receipt->sample;
  return {};
}

void vm_batch::start(const std::function<bool()>& is_over) {
  in_parallel(
    plan_.children, plan_.in_flight,
    [this](uint64_t i) {
      samples_[i] = {
        .driver = "qemu", .number = i + 1, .branch_counter = branch_counter_};
      if (const auto done = start_one(i); !done)
        samples_[i].remark = to_string(done.error());
    },
    is_over);
}

/// What each accounts for, while all of them run.
void vm_batch::weigh() {
  for (std::size_t i = 0; i < vms_.size(); ++i) {
    if (!vms_[i])
      continue;
    const auto use = read_memory_use(static_cast<int>(vms_[i]->describe().pid));
    if (use) {
      samples_[i].pss_bytes = use->pss;
      samples_[i].own_bytes = use->own;
    } else if (samples_[i].remark.empty()) {
      samples_[i].remark = to_string(use.error());
    }
  }
}

status vm_batch::listen_to(uint64_t i) {
  auto& sample = samples_[i];
  const auto until = clock::now() + vm_limit;
  const auto watch =
    guest::guest_watch::open(vms_[i]->describe().debug_console, until);
  if (!watch)
    return tl::unexpected(watch.error());
  const auto heard = (*watch)->wait_for_counter(1, until);
  if (!heard)
    return tl::unexpected(heard.error());
  sample.first_counter = (*watch)->first()->counter;
  const auto lived =
    std::chrono::duration<double>(clock::now() - begun_[i] + branch_slack);
  const auto most =
    static_cast<double>(branch_counter_) + lived.count() * ticks_per_second;
  if (sample.first_counter < branch_counter_
      || static_cast<double>(sample.first_counter) > most)
    return fail(ec::snapshot_corrupt,
                fmt::format("it counts {}, where its branch point is {}",
                            sample.first_counter, branch_counter_));
  const auto alive =
    (*watch)->wait_for_counter(sample.first_counter + further, until);
  if (!alive)
    return tl::unexpected(alive.error());
  if ((*watch)->state().errors > 0)
    return fail(ec::snapshot_corrupt, "it found errors in its memory");
  sample.counts_on = true;
  return {};
}

/// Hears each of them in turn, while all of them run.
void vm_batch::listen() {
  for (std::size_t i = 0; i < vms_.size(); ++i)
    if (vms_[i] && samples_[i].remark.empty())
      if (const auto heard = listen_to(i); !heard)
        samples_[i].remark = to_string(heard.error());
}

void vm_batch::end() {
  in_parallel(
    vms_.size(), plan_.in_flight,
    [this](uint64_t i) {
      const auto vm = std::exchange(vms_[i], {});
      if (vm)
        std::ignore = vm->stop(clock::now() + ending_limit);
      std::error_code ignored;
      std::filesystem::remove_all(plan_.directory + "/" + name_of(i), ignored);
    },
    [] { return false; });
}

fork_samples vm_batch::take_samples() {
  std::erase_if(samples_, [](const auto& x) { return x.number == 0; });
  return std::move(samples_);
}

/// The agent answers before the branch: a child's kernel goes on with what its
/// parent's was doing.
status wait_for_agent(const std::string& socket) {
  const auto agent =
    guest_agent::connect(socket, clock::now() + source_patience);
  return agent ? status{} : tl::unexpected(agent.error());
}

} // namespace

expected<fork_samples> fork_vms(const batch_plan& plan, branch_place& place,
                                const std::function<bool()>& is_over) {
  qemu_driver driver{qemu_driver_settings{}};
  const auto source =
    guest_vm::start(driver, {.name = "source",
                             .directory = plan.directory,
                             .guest_directory = plan.guest_directory,
                             .memory_mib = plan.memory_mib,
                             .has_agent = true,
                             .has_hand = false,
                             .patience = source_patience});
  if (!source)
    return tl::unexpected(source.error());
  const auto& vm = (*source)->driven();
  if (auto there = wait_for_agent(vm->describe().agent); !there)
    return tl::unexpected(there.error());
  const auto before = (*source)->watch().last();
  const snapshot_tag tag{"fork-qemu"};
  const auto taken = place.branch(vm, tag, branch_mode::full);
  if (taken.report.outcome)
    return tl::unexpected(taken.report.outcome);
  const auto files = place.store().open(tag);
  if (!files)
    return tl::unexpected(files.error());
  vm_batch batch{plan, *files, before ? before->counter : 0};
  batch.start(is_over);
  batch.weigh();
  if (!is_over())
    batch.listen();
  batch.end();
  return batch.take_samples();
}

} // namespace forkfleet::bench
