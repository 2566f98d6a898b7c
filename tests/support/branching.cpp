// SPDX-License-Identifier: Apache-2.0
#include "tests/support/branching.hpp"

#include <catch2/catch.hpp>

namespace forkfleet::test {

namespace {

config::sandbox_section source_spec() {
  auto spec = config::sandbox_section{};
  spec.name = {"source"};
  spec.host = {"h1"};
  spec.driver = config::driver_kind::simulated;
  spec.memory = {4ull << 20};
  return spec;
}

} // namespace

branching_world::branching_world() {
  auto time = simulated_time{
    .now = [this] { return now_; },
    .pass =
      [this](std::chrono::nanoseconds x) {
        now_ += std::chrono::duration_cast<deadline_point::duration>(x);
      }};
  auto driver = std::make_shared<simulated_driver>(
    simulated_settings{.time = time, .faults = faults_, .host = host_});
  drivers_.emplace(driver->name(), driver);
  open();
}

void branching_world::open() {
  const auto data = data_directory::open(scratch_.path());
  REQUIRE(data);
  const auto store = disk_snapshot_store::open_in(*data, {"h1"});
  REQUIRE(store);
  const auto journal = file_journal::open_in(*data);
  REQUIRE(journal);
  store_ = *store;
  journal_ = *journal;
  records_ = std::make_unique<sandbox_records>(*data);
}

void branching_world::restart() {
  source.reset();
  store_.reset();
  journal_.reset();
  records_.reset();
  open();
}

void branching_world::start_source() {
  const auto spec = source_spec();
  REQUIRE(records_->save({.id = {"source"}, .spec = spec}));
  const auto vm = drivers_.at("simulated")
                    ->start({.id = {"source"},
                             .directory = records_->directory({"source"}),
                             .spec = spec},
                            now_ + std::chrono::seconds{10});
  REQUIRE(vm);
  source = *vm;
}

recovery_result branching_world::recover() {
  auto result = forkfleet::recover({.host = {"h1"},
                                    .drivers = drivers_,
                                    .store = *store_,
                                    .journal = *journal_,
                                    .records = *records_});
  if (!result.adopted.empty())
    source = result.adopted.front().vmm;
  return result;
}

simulated_machine& branching_world::machine() {
  return *host_->find({"source"});
}

branch_result branching_world::branch(const branch_request& request) {
  return run_branch(
    {.vmm = source,
     .store = store_,
     .journal = journal_,
     .host = {"h1"},
     .policy = policy,
     .now = [this] { return now_; },
     .arrival = now_,
     .wall = [] { return microseconds{1'000'000}; },
     .tell = [this](const fleet_event& x) { events.push_back(x); }},
    request);
}

} // namespace forkfleet::test
