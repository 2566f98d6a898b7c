// SPDX-License-Identifier: Apache-2.0
#include "tests/support/simulation.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

namespace forkfleet::test {

using namespace std::chrono_literals;

namespace {

constexpr std::string_view expiring = "keep=short";
constexpr auto storm_end = 16000ms;
/// By then every wait of the programs has passed.
constexpr auto repair_end = 90000ms;

uint64_t roll(std::mt19937_64& dice, uint64_t below) {
  return dice() % below;
}

/// In every other seed snapshots with a label go by themselves.
config::retention_section roll_retention(std::mt19937_64& dice) {
  auto result = config::retention_section{.sweep = 1000ms,
                                          .removals_max = 1 + roll(dice, 3)};
  if (roll(dice, 2) == 0)
    result.rules.push_back({.label = std::string{expiring},
                            .keep_last = roll(dice, 2),
                            .ttl = 1000ms * (1 + roll(dice, 8))});
  return result;
}

} // namespace

simulation::simulation(uint64_t seed)
  : plan_dice_(seed * 7919 + 1), fleet_(seed, roll_shape(plan_dice_)) {
  begin_ = fleet_.w.now();
}

fleet_shape simulation::roll_shape(std::mt19937_64& dice) {
  // Some seeds are calm: what breaks there breaks by its order alone.
  const uint64_t trouble = roll(dice, 4);
  return {.hosts = 1 + roll(dice, 3),
          .sandboxes_per_host = 1 + roll(dice, 2),
          .branch_slots = 1 + roll(dice, 2),
          .memory_bytes = 128 << 10,
          .vmm_trouble_per_mille = trouble * 20,
          .disk_trouble_per_mille = trouble * 15,
          .cancel_per_mille = roll(dice, 3) * 10,
          .chain_depth = 1 + roll(dice, 4),
          .can_clone = roll(dice, 2) == 0,
          .retention = roll_retention(dice)};
}

story simulation::run() {
  plan();
  run_until(storm_end, false);
  if (!is_broken()) {
    repair();
    run_until(repair_end, true);
  }
  if (!is_broken())
    check_end();
  for (const auto& node : fleet_.nodes)
    story_.crashes +=
      node.incarnation - std::min<uint64_t>(node.incarnation, 1);
  story_.ended = endings_.all().size();
  for (const auto& [operation, report] : endings_.all())
    story_.sealed += report.outcome ? 0 : 1;
  return story_;
}

void simulation::plan() {
  auto& weather = *fleet_.weather;
  weather.delay_percent = roll(plan_dice_, 3) * 30;
  weather.drop_percent = roll(plan_dice_, 3) == 0 ? 2 : 0;
  weather.double_percent = roll(plan_dice_, 3) * 5;
  at(moment{roll(plan_dice_, 500)}, [this] { fleet_.start_coordinator(); });
  for (std::size_t i = 0; i < fleet_.nodes.size(); ++i)
    at(moment{roll(plan_dice_, 1000)}, [this, i] { fleet_.start_node(i); });
  plan_clients();
  plan_incidents();
}

void simulation::plan_clients() {
  const auto count = 3 + roll(plan_dice_, 6);
  for (uint64_t i = 0; i < count; ++i) {
    const auto host = any_node();
    const auto sandbox = roll(plan_dice_, fleet_.shape.sandboxes_per_host);
    const auto name = fmt::format("op-{}", ++operations_);
    const auto request =
      branch_request{.operation = {name},
                     .sandbox = {fmt::format("h{}-s{}", host + 1, sandbox + 1)},
                     .tag = {roll(plan_dice_, 5) == 0 ? std::string{"same-tag"}
                                                      : "tag-" + name},
                     .mode = any_mode(),
                     .deadline = 1000ms * (2 + roll(plan_dice_, 7)),
                     .max_pause = 1ms * (roll(plan_dice_, 3) * 20),
                     .labels = any_labels()};
    if (!request.labels.empty())
      removed_.insert(request.tag);
    const auto start = begin_ + any_moment();
    clients_.emplace_back(request, start);
    // Somebody may repeat the same request at the same time.
    if (roll(plan_dice_, 4) == 0)
      clients_.emplace_back(request, start + 1ms * roll(plan_dice_, 2000));
  }
  for (auto i = roll(plan_dice_, 3); i > 0; --i)
    at(any_moment(), [this] { restore_something(); });
  for (auto i = roll(plan_dice_, 4); i > 0; --i)
    at(any_moment(), [this] { cancel_something(); });
}

void simulation::plan_incidents() {
  for (auto i = roll(plan_dice_, 5); i > 0; --i)
    at(any_moment(), [this] { bring_incident(); });
  // A node that a fault has ended comes back.
  for (auto when = 1500ms; when < storm_end; when += 1500ms)
    at(when, [this] {
      const auto index = any_node();
      if (!fleet_.nodes[index].is_up())
        fleet_.start_node(index);
    });
}

void simulation::at(moment when, std::function<void()> what) {
  agenda_.emplace(begin_ + when, std::move(what));
}

simulation::moment simulation::any_moment() {
  return 500ms + 1ms * roll(plan_dice_, 14000);
}

branch_mode simulation::any_mode() {
  using enum branch_mode;
  constexpr auto modes = std::array{automatic, automatic, diff, full, live};
  return modes[roll(plan_dice_, modes.size())];
}

/// With some, the retention may remove the snapshot.
std::vector<std::string> simulation::any_labels() {
  if (roll(plan_dice_, 2) == 0)
    return {};
  return {std::string{expiring}, fmt::format("run={}", roll(plan_dice_, 3))};
}

std::size_t simulation::any_node() {
  return roll(plan_dice_, fleet_.nodes.size());
}

void simulation::bring_incident() {
  const auto index = any_node();
  switch (roll(plan_dice_, 8)) {
    case 0:
    case 1:
      return kill_for_a_while(index);
    case 2:
      return restart_coordinator();
    case 3:
      return fleet_.cut(index);
    case 4:
      fleet_.lose_power(index);
      return;
    case 5:
      return fill_disk(index);
    case 6:
      if (fleet_.nodes[index].line)
        fleet_.nodes[index].line->break_off();
      return;
    default:
      restart_coordinator();
      return kill_for_a_while(index);
  }
}

void simulation::kill_for_a_while(std::size_t index) {
  fleet_.kill_node(index, roll(plan_dice_, 3) == 0);
  const auto back = fleet_.w.now() + 1ms * roll(plan_dice_, 6000);
  agenda_.emplace(back, [this, index] { fleet_.start_node(index); });
}

void simulation::restart_coordinator() {
  if (!fleet_.coordinator_is_up)
    return;
  fleet_.kill_coordinator();
  const auto back = fleet_.w.now() + 1ms * roll(plan_dice_, 4000);
  agenda_.emplace(back, [this] {
    if (!fleet_.coordinator_is_up)
      fleet_.start_coordinator();
  });
}

void simulation::fill_disk(std::size_t index) {
  auto& disk = *fleet_.nodes[index].disk;
  disk.capacity_bytes = disk.used_bytes() + roll(plan_dice_, 200 << 10);
}

/// A child of any snapshot that there is, with a life of its own: it is
/// branched, and perhaps stopped, and its parent removed.
void simulation::restore_something() {
  auto tags = std::vector<snapshot_tag>{};
  for (const auto& node : fleet_.nodes)
    for (const auto& [tag, snapshot] : node.disk->sealed)
      tags.push_back(tag);
  if (tags.empty())
    return;
  const auto tag = tags[roll(plan_dice_, tags.size())];
  const auto name = fmt::format("op-{}", ++operations_);
  const auto child = sandbox_id{"child-of-" + name};
  const auto now = fleet_.w.now();
  clients_.emplace_back(
    restore_request{
      .operation = {name}, .tag = tag, .sandbox = child, .deadline = 5000ms},
    now);
  agenda_.emplace(now + 1ms * roll(plan_dice_, 3000),
                  [this, child] { branch_child(child); });
  if (roll(plan_dice_, 2) == 0)
    agenda_.emplace(now + 1s + 1ms * roll(plan_dice_, 6000),
                    [this, child, tag] { stop_and_remove(child, tag); });
}

/// Whatever becomes of the cancel, its branch has one ending.
void simulation::cancel_something() {
  if (!fleet_.coordinator_is_up || operations_ == 0)
    return;
  auto line = connection_ptr{};
  fleet_.w.ask<done>(
    fleet_.dial(line), 5s,
    cancel_request{{fmt::format("op-{}", 1 + roll(plan_dice_, operations_))}});
}

void simulation::branch_child(const sandbox_id& child) {
  const auto name = fmt::format("op-{}", ++operations_);
  clients_.emplace_back(branch_request{.operation = {name},
                                       .sandbox = child,
                                       .tag = {"tag-" + name},
                                       .deadline = 5000ms},
                        fleet_.w.now());
}

void simulation::stop_and_remove(const sandbox_id& child,
                                 const snapshot_tag& tag) {
  if (!fleet_.coordinator_is_up)
    return;
  removed_.insert(tag);
  auto line = connection_ptr{};
  const auto coordinator = fleet_.dial(line);
  fleet_.w.ask<done>(coordinator, 5s, stop_request{.sandbox = child});
  agenda_.emplace(fleet_.w.now() + 1s, [this, coordinator, tag] {
    fleet_.w.ask<done>(coordinator, 5s, remove_request{.tag = tag});
  });
}

void simulation::repair() {
  fleet_.shape.vmm_trouble_per_mille = 0;
  fleet_.shape.disk_trouble_per_mille = 0;
  fleet_.shape.cancel_per_mille = 0;
  *fleet_.weather = {};
  agenda_.clear();
  if (!fleet_.coordinator_is_up)
    fleet_.start_coordinator();
  for (std::size_t i = 0; i < fleet_.nodes.size(); ++i) {
    fleet_.nodes[i].disk->capacity_bytes = 64ull << 20;
    fleet_.start_node(i);
  }
  for (auto& client : clients_)
    client.insist();
}

void simulation::run_until(moment when, bool early) {
  const auto end = begin_ + when;
  while (!is_broken() && fleet_.w.now() < end) {
    run_messages();
    poll_clients();
    note(check_lineage(fleet_));
    if (early && all_through())
      return;
    auto next = end;
    if (!agenda_.empty())
      next = std::min(next, agenda_.begin()->first);
    for (const auto& client : clients_)
      if (!client.is_over() && client.next() > fleet_.w.now())
        next = std::min(next, client.next());
    if (fleet_.w.next_timeout(next))
      continue;
    while (!agenda_.empty() && agenda_.begin()->first <= fleet_.w.now()) {
      const auto what = std::move(agenda_.begin()->second);
      agenda_.erase(agenda_.begin());
      what();
    }
  }
}

void simulation::run_messages() {
  while (!is_broken() && fleet_.w.run_one()) {
    ++story_.messages;
    note(check_moment(fleet_));
  }
}

void simulation::poll_clients() {
  for (auto& client : clients_)
    note(client.poll(fleet_, endings_));
}

bool simulation::all_through() const {
  return std::ranges::all_of(
    clients_, [](const simulated_client& x) { return x.is_over(); });
}

void simulation::note(std::string wrong) {
  if (!wrong.empty() && !is_broken())
    story_.violation = fmt::format(
      "at {} ms: {}",
      std::chrono::duration_cast<moment>(fleet_.w.now() - begin_).count(),
      wrong);
}

/// The fleet is whole and quiet: what is told must be what is there.
void simulation::check_end() {
  for (const auto& client : clients_)
    if (!client.is_over())
      note("a client never learned how " + client.operation().value + " ended");
  // Time for what nobody waits for: branches of clients that gave up.
  run_until(std::chrono::duration_cast<moment>(fleet_.w.now() - begin_) + 12s,
            false);
  note(check_disks(fleet_));
  for (uint64_t i = 1; i <= operations_ && !is_broken(); ++i)
    check_operation({fmt::format("op-{}", i)});
  if (!is_broken())
    check_still_works();
}

void simulation::check_operation(const operation_id& operation) {
  const auto told =
    fleet_.w.ask<operation_status>(coordinator_actor{fleet_.coordinator_handle},
                                   5s, operation_query{operation});
  run_messages();
  if (!told->has_value() || !told->value())
    return note("nobody answers for " + operation.value);
  const auto& status = *told->value();
  if (status.state == operation_state::running)
    note(operation.value + " runs for ever");
  if (status.state == operation_state::ended && fleet_.has_begun(operation))
    note(endings_.add(status.report));
  const auto known = endings_.all().find(operation);
  if (known == endings_.all().end())
    return;
  if (status.state != operation_state::ended)
    note(operation.value + " was forgotten after its end was told");
  auto is_visible = false;
  for (const auto& node : fleet_.nodes) {
    const auto found = node.disk->sealed.find(known->second.tag);
    if (found != node.disk->sealed.end())
      is_visible = is_visible || found->second.info.operation == operation;
  }
  const bool is_removed = removed_.contains(known->second.tag);
  if (!is_removed && is_visible == static_cast<bool>(known->second.outcome))
    note(fmt::format("{} ended in '{}', but its snapshot is {}",
                     operation.value, to_string(known->second.outcome),
                     is_visible ? "visible" : "not there"));
}

/// The next branch of each running guest succeeds.
void simulation::check_still_works() {
  for (const auto& node : fleet_.nodes)
    for (const auto& [id, machine] : node.machines->all()) {
      if (machine->health() != vmm_health::running)
        continue;
      const auto name = fmt::format("op-{}", ++operations_);
      const auto last = fleet_.w.ask<branch_report>(
        coordinator_actor{fleet_.coordinator_handle}, 20s,
        branch_request{.operation = {name}, .sandbox = id, .tag = {name}});
      run_messages();
      if (!last->has_value())
        note(fmt::format("the last branch of {} has no answer", id.value));
      else if (!last->value())
        note(fmt::format("the last branch of {}: {}", id.value,
                         to_string(last->value().error())));
      else if (last->value()->outcome)
        note(fmt::format("the last branch of {} ended in {}", id.value,
                         to_string(last->value()->outcome)));
    }
}

story tell(uint64_t seed) {
  return simulation{seed}.run();
}

} // namespace forkfleet::test
