// SPDX-License-Identifier: Apache-2.0
// forkfleet's write path as a node runs it: run_branch over the simulated
// driver, the disk store and the journal, and flattening in the background.
#include <filesystem>

#include <fmt/format.h>

#include "node/bench/branch_place.hpp"
#include "node/bench/chain_path.hpp"
#include "node/simulated/simulated_vmm.hpp"

namespace forkfleet::bench {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using std::chrono::duration_cast;

/// What the paths have in common costs the same; all else is real work.
simulated_faults_ptr costs() {
  auto faults = std::make_shared<simulated_faults>();
  for (const auto& entry : enum_table(stage{}))
    faults->takes(entry.value, 0ns);
  faults->takes(stage::pause, stop_cost);
  faults->takes(stage::capture, device_state_cost);
  faults->takes(stage::resume, resume_cost);
  return faults;
}

branch_mode mode_of(chain_arm arm) {
  return arm == chain_arm::ours_diff ? branch_mode::diff : branch_mode::full;
}

/// Flattens one snapshot after the other on a thread of its own, as a node
/// does with chains that are too deep.
class flattener {
public:
  explicit flattener(snapshot_store_ptr store) : store_(std::move(store)) {}
  ~flattener() {
    ends_ = true;
    if (thread_.joinable())
      thread_.join();
  }
  flattener(const flattener&) = delete;
  flattener& operator=(const flattener&) = delete;

  /// Begins unless one is under way.
  void begin(const snapshot_tag& tag) {
    if (is_busy_)
      return;
    if (thread_.joinable())
      thread_.join();
    is_busy_ = true;
    thread_ = std::thread{[this, tag] {
      if (const auto done =
            store_->flatten(tag, [this] { return ends_.load(); });
          !done)
        failures_ += 1;
      is_busy_ = false;
    }};
  }

  /// How often it did not succeed.
  uint64_t failures() const { return failures_; }

private:
  snapshot_store_ptr store_;
  std::atomic<bool> ends_ = false;
  std::atomic<bool> is_busy_ = false;
  std::atomic<uint64_t> failures_ = 0;
  std::thread thread_ = {};
};

class our_path final : public chain_path {
public:
  our_path(chain_arm arm, chain_place place)
    : arm_(arm), place_(std::move(place)) {}

  status open();
  status begin() override;
  expected<chain_sample> branch(uint64_t number) override;
  status verify() override;

private:
  static snapshot_tag tag_of(uint64_t number) {
    return {fmt::format("b-{}", number)};
  }
  expected<branch_report> take(uint64_t number, branch_mode mode);
  status forget_oldest(uint64_t number);

  chain_arm arm_;
  chain_place place_;
  std::unique_ptr<branch_place> node_ = {};
  vmm_ptr vmm_ = {};
  std::unique_ptr<flattener> flattener_ = {};
  uint64_t last_ = 0;
  uint64_t stored_ = 0; // by the last one, on the disk
};

status our_path::open() {
  auto opened = branch_place::open(place_.directory + "/node");
  if (!opened)
    return tl::unexpected(opened.error());
  node_ = std::move(*opened);
  vmm_ = std::make_shared<simulated_vmm>(place_.guest, costs(), real_time());
  flattener_ = std::make_unique<flattener>(node_->shared_store());
  // The next diff is what the bench lets the guest dirty, and not what it
  // would write while a slow disk takes this one.
  node_->listen([guest = place_.guest](const fleet_event& x) {
    if (x.stage == to_string(stage::resume))
      guest->set_writes_per_second(0, clock::now());
  });
  return {};
}

expected<branch_report> our_path::take(uint64_t number, branch_mode mode) {
  auto result = node_->branch(vmm_, tag_of(number), mode);
  if (result.report.outcome)
    return tl::unexpected(result.report.outcome);
  stored_ = result.snapshot.stored_bytes;
  if (result.snapshot.depth >= node_->policy().chain_depth)
    flattener_->begin(result.snapshot.tag);
  return std::move(result.report);
}

status our_path::begin() {
  const auto base = take(0, branch_mode::full);
  return base ? status{} : tl::unexpected(base.error());
}

/// A diff stays: it is small, and others may need it.
status our_path::forget_oldest(uint64_t number) {
  if (arm_ == chain_arm::ours_diff || number <= place_.images_kept)
    return {};
  return node_->store().remove(tag_of(number - place_.images_kept - 1));
}

expected<chain_sample> our_path::branch(uint64_t number) {
  const auto start = clock::now();
  const auto report = take(number, mode_of(arm_));
  if (!report)
    return tl::unexpected(report.error());
  chain_sample sample{.pause = report->pause,
                      .total = report->total,
                      .written_bytes = report->written_bytes,
                      .stored_bytes = stored_,
                      .method = report->method};
  // A branch that has ended is on the disk.
  sample.durable = duration_cast<microseconds>(clock::now() - start);
  last_ = number;
  if (auto removed = forget_oldest(number); !removed)
    return tl::unexpected(removed.error());
  return sample;
}

status our_path::verify() {
  if (flattener_->failures() > 0)
    return fail(ec::io_failed, "flattening in the background failed");
  const auto image = node_->store().image(tag_of(last_));
  if (!image)
    return tl::unexpected(image.error());
  return compare_memory(*place_.guest,
                        [&](uint64_t at, std::span<uint8_t> into) {
                          return (*image)->read(at, into);
                        });
}

} // namespace

expected<chain_path_ptr> make_our_path(chain_arm arm, chain_place place) {
  auto path = std::make_unique<our_path>(arm, std::move(place));
  if (auto opened = path->open(); !opened)
    return tl::unexpected(opened.error());
  return path;
}

} // namespace forkfleet::bench
