// SPDX-License-Identifier: Apache-2.0
#include "node/bench/branch_place.hpp"

#include "node/bench/timing.hpp"
#include "node/storage/file_journal.hpp"

namespace forkfleet::bench {

namespace {

using clock = std::chrono::steady_clock;

constexpr const char* host = "bench";

} // namespace

expected<std::unique_ptr<branch_place>>
branch_place::open(const std::string& path) {
  const auto data = data_directory::open(path);
  if (!data)
    return tl::unexpected(data.error());
  std::unique_ptr<branch_place> place{new branch_place};
  auto& context = place->context_;
  context.gate = std::make_shared<pause_gate>();
  auto store =
    disk_snapshot_store::open_in(*data, {host}, {.gate = context.gate});
  if (!store)
    return tl::unexpected(store.error());
  auto journal = file_journal::open_in(*data);
  if (!journal)
    return tl::unexpected(journal.error());
  place->store_ = std::move(*store);
  context.store = place->store_;
  context.journal = std::move(*journal);
  context.host = {host};
  context.now = [] { return clock::now(); };
  context.wall = wall_time;
  context.tell = [](const fleet_event&) {};
  return place;
}

branch_result branch_place::branch(const vmm_ptr& vmm, const snapshot_tag& tag,
                                   branch_mode mode) {
  context_.vmm = vmm;
  context_.arrival = clock::now();
  return run_branch(
    context_,
    {.operation = {tag.value}, .sandbox = {"guest"}, .tag = tag, .mode = mode});
}

} // namespace forkfleet::bench
