// SPDX-License-Identifier: Apache-2.0
#include "tests/support/simulated_fleet.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include <caf/stateful_actor.hpp>
#include <fmt/format.h>

#include "node/recovery.hpp"

namespace forkfleet::test {

using namespace std::chrono_literals;

namespace {

void add_node_messages(system_config& config) {
  config.add_message_types<caf::id_block::forkfleet_node>();
}

/// The state of a typed stateful actor, for a look between two messages.
template <class Pointer, class Handle>
auto& state_of(const Handle& handle) {
  auto* actor = caf::actor_cast<caf::abstract_actor*>(handle);
  return dynamic_cast<std::remove_pointer_t<Pointer>&>(*actor).state;
}

connector_actor::behavior_type
connector(connector_actor::pointer, simulated_fleet* fleet, std::size_t index) {
  return {
    [fleet, index](const connect_request&) -> caf::result<coordinator_actor> {
      auto& node = fleet->nodes[index];
      if (!fleet->coordinator_is_up || !node.is_up())
        return to_caf_error(ec::node_down, "nobody there");
      if (node.line)
        node.line->break_off();
      return fleet->dial(node.line);
    },
  };
}

/// A driver whose VMs can be looked at.
class open_driver : public simulated_driver {
public:
  open_driver(simulated_settings settings, simulated_fleet* fleet,
              std::size_t index)
    : simulated_driver{std::move(settings)}, fleet_{fleet}, index_{index} {}

  expected<vmm_ptr> start(const start_plan& plan,
                          deadline_point until) override {
    return note(plan, simulated_driver::start(plan, until));
  }
  expected<vmm_ptr> adopt(const start_plan& plan,
                          deadline_point until) override {
    return note(plan, simulated_driver::adopt(plan, until));
  }

private:
  expected<vmm_ptr> note(const start_plan& plan, expected<vmm_ptr> vm) {
    if (vm)
      fleet_->nodes[index_].vms[plan.id] = *vm;
    return vm;
  }

  simulated_fleet* fleet_;
  std::size_t index_;
};

template <class Handle>
void kill_if(world& w, const Handle& handle) {
  if (handle)
    w.kill(handle);
}

} // namespace

scratch_directory::scratch_directory() {
  const auto root = std::filesystem::exists("/dev/shm")
                      ? std::filesystem::path{"/dev/shm"}
                      : std::filesystem::temp_directory_path();
  auto pattern = (root / "forkfleet-simulation-XXXXXX").string();
  if (const auto* made = mkdtemp(pattern.data()))
    path_ = made;
}

scratch_directory::~scratch_directory() {
  auto ignored = std::error_code{};
  if (!path_.empty())
    std::filesystem::remove_all(path_, ignored);
}

simulated_fleet::simulated_fleet(uint64_t seed, const fleet_shape& wanted)
  : w(seed, add_node_messages), shape(wanted) {
  nodes.resize(shape.hosts);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    auto& node = nodes[i];
    node.host = {fmt::format("h{}", i + 1)};
    node.disk = std::make_shared<simulated_disk>();
    node.disk->host = node.host;
    node.disk->can_clone = shape.can_clone;
    node.machines = std::make_shared<simulated_host>();
    const auto data =
      data_directory::open(scratch_.path() + "/" + node.host.value);
    if (!data)
      violate("no scratch directory: " + to_string(data.error()));
    else
      node.records = std::make_shared<sandbox_records>(*data);
    node.connector = w.spawn(connector, this, i);
  }
}

simulated_fleet::~simulated_fleet() {
  if (coordinator_is_up)
    kill_coordinator();
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    end_life(i, true);
    nodes[i].connector = connector_actor{};
  }
  w.run();
}

void simulated_fleet::start_coordinator() {
  auto settings = coordinator_settings{.heartbeat = 1s,
                                       .node_timeout = 4s,
                                       .deadline = 8s,
                                       .request_slack = 1s,
                                       .epoch = ++epoch_,
                                       .seed = w.dice(~uint64_t{0})};
  for (const auto& node : nodes)
    settings.hosts.push_back(node.host);
  coordinator_handle = w.spawn(coordinator, settings, coordinator_access{});
  coordinator_is_up = true;
}

void simulated_fleet::kill_coordinator() {
  coordinator_is_up = false;
  w.kill(coordinator_handle);
  coordinator_handle = local_coordinator_actor{};
  for (auto& node : nodes)
    if (node.line)
      node.line->break_off();
}

void simulated_fleet::start_node(std::size_t index) {
  auto& node = nodes[index];
  if (node.is_up() || !node.records)
    return;
  node.life = std::make_shared<node_life>();
  ++node.incarnation;
  try {
    auto services = services_of(index);
    auto found = recover({.host = node.host,
                          .drivers = services.drivers,
                          .store = *services.store,
                          .journal = *services.journal,
                          .records = *node.records});
    node.disk->staged.clear();
    services.adopted = std::move(found.adopted);
    services.doomed = std::move(found.doomed);
    services.ended = std::move(found.ended);
    node.actor = w.spawn(forkfleet::node, settings_of_node(index),
                         std::move(services), node.connector);
  } catch (const simulated_crash&) {
    // It was killed while it recovered; the next life tries again.
  }
}

void simulated_fleet::kill_node(std::size_t index, bool silently) {
  end_life(index, silently);
}

void simulated_fleet::lose_power(std::size_t index) {
  end_life(index, true);
  nodes[index].machines->end_all();
  nodes[index].disk->lose_power();
}

void simulated_fleet::cut(std::size_t index) {
  if (nodes[index].line)
    nodes[index].line->is_cut = true;
}

coordinator_actor simulated_fleet::dial(connection_ptr& line) {
  line = std::make_shared<connection>();
  line->where = &w;
  line->weather = weather;
  return link_to(line, coordinator_handle);
}

coordinator_state& simulated_fleet::coordinator_state_now() {
  return state_of<coordinator_pointer>(coordinator_handle);
}

node_actor_state& simulated_fleet::node_state_now(std::size_t index) {
  return state_of<node_pointer>(nodes[index].actor);
}

std::vector<std::string> simulated_fleet::violations() const {
  auto result = violations_;
  for (const auto& node : nodes)
    for (const auto& what : node.disk->violations)
      result.push_back(node.host.value + ": " + what);
  return result;
}

bool simulated_fleet::has_begun(const operation_id& operation) const {
  return std::ranges::any_of(nodes, [&](const simulated_node& node) {
    return node.disk->journal.contains(operation);
  });
}

simulated_machine_ptr simulated_fleet::machine_of(const sandbox_id& id) const {
  for (const auto& node : nodes)
    if (auto machine = node.machines->find(id))
      return machine;
  return nullptr;
}

disk_access simulated_fleet::access_of(std::size_t index) {
  return {
    .trouble =
      [this](std::string_view place) { return roll_disk_trouble(place); },
    .crash = [this, index] { end_life(index, w.dice(4) == 0); },
    .is_over = [life = nodes[index].life] { return life->is_over; },
    .wall = [this] { return wall(); },
    .on_close = [this,
                 index](const branch_report& x) { check_ended(index, x); },
  };
}

node_services simulated_fleet::services_of(std::size_t index) {
  auto& node = nodes[index];
  const auto life = node.life;
  node.faults = std::make_shared<simulated_faults>();
  node.faults->set_crash([this, index] { end_life(index, w.dice(4) == 0); });
  node.faults->set_chance([this, index, life](stage which) {
    if (life->is_over)
      throw simulated_crash{};
    roll_cancel(index);
    return roll_vmm_trouble(index, which);
  });
  node.vms.clear();
  auto driver = std::make_shared<open_driver>(
    simulated_settings{.time = {.now = [this] { return w.now(); },
                                .pass = [this](caf::timespan x) { w.pass(x); }},
                       .faults = node.faults,
                       .host = node.machines},
    this, index);
  return {.drivers = {{driver->name(), driver}},
          .store = open_store(node.disk, access_of(index)),
          .journal = open_journal(node.disk, access_of(index)),
          .keep_record = [records = node.records, life](
                           const sandbox_record& x) -> expected<std::string> {
            if (life->is_over)
              throw simulated_crash{};
            if (auto saved = records->save(x); !saved)
              return tl::unexpected{saved.error()};
            return records->directory(place_of(x));
          },
          .forget_record =
            [records = node.records, life](const sandbox_id& id) {
              if (!life->is_over)
                std::ignore = records->remove(id);
            },
          .wall = [this] { return wall(); },
          .gate = std::make_shared<pause_gate>(),
          .wait_until =
            [this](world::time_point until) {
              if (until > w.now())
                w.pass(until - w.now());
            },
          .threads = false};
}

node_settings simulated_fleet::settings_of_node(std::size_t index) {
  const auto& node = nodes[index];
  auto result =
    node_settings{.host = node.host,
                  .incarnation = node.incarnation,
                  .version = "simulated",
                  .branch_slots = shape.branch_slots,
                  .branch = {.deadline = 8s, .chain_depth = shape.chain_depth},
                  .retention = shape.retention,
                  .seed = w.dice(~uint64_t{0})};
  for (std::size_t i = 0; i < shape.sandboxes_per_host; ++i)
    result.declared.push_back(
      {.name = {fmt::format("{}-s{}", node.host.value, i + 1)},
       .host = node.host,
       .driver = config::driver_kind::simulated,
       .memory = {shape.memory_bytes}});
  return result;
}

/// Somebody ends a branch of this node while its worker is in a stage.
void simulated_fleet::roll_cancel(std::size_t index) {
  if (w.dice(1000) >= shape.cancel_per_mille || !nodes[index].is_up()
      || !nodes[index].actor)
    return;
  auto& state = node_state_now(index);
  for (const auto& [operation, order] : state.orders)
    if (!state.slots.is_queued(operation))
      std::ignore = order.cancel->ask();
}

simulated_fault simulated_fleet::roll_vmm_trouble(std::size_t index,
                                                  stage which) {
  using enum simulated_trouble;
  if (w.dice(1000) >= shape.vmm_trouble_per_mille || !nodes[index].is_up())
    return {};
  const bool in_window = which >= stage::pause && which <= stage::resume;
  switch (w.dice(12)) {
    case 0:
      return {vm_ends};
    case 1:
      return {in_window ? stick : refuse};
    case 2:
    case 3:
      return {lose_answer};
    case 4:
    case 5:
      return {refuse, which == stage::drain ? ec::io_failed : ec::vmm_refused};
    case 6:
    case 7:
    case 8:
      return {crash_before};
    default:
      return {crash_after};
  }
}

disk_trouble simulated_fleet::roll_disk_trouble(std::string_view place) {
  using enum disk_trouble;
  if (const auto planned = disk_plan.find(place); planned != disk_plan.end()) {
    const auto result = planned->second;
    disk_plan.erase(planned);
    return result;
  }
  if (w.dice(1000) >= shape.disk_trouble_per_mille)
    return none;
  const bool may_fail =
    place == "stage" || place == "seal" || place == "journal.open";
  switch (w.dice(3)) {
    case 0:
      return may_fail ? fail : crash_after;
    case 1:
      return crash_before;
    default:
      return crash_after;
  }
}

void simulated_fleet::end_life(std::size_t index, bool silently) {
  auto& node = nodes[index];
  if (node.line) {
    if (silently)
      node.line->is_cut = true;
    else
      node.line->break_off();
  }
  if (!node.is_up())
    return;
  node.life->is_over = true;
  if (!node.actor)
    return;
  auto& state = node_state_now(index);
  for (const auto& [id, managed] : state.sandboxes)
    kill_if(w, managed.handle);
  for (const auto* hands : {&state.hands, &state.upkeep.hands})
    for (const auto& hand : *hands)
      w.kill(hand);
  w.kill(node.actor);
  node.actor = local_node_actor{};
}

void simulated_fleet::check_ended(std::size_t index,
                                  const branch_report& report) {
  if (report.outcome.code == ec::guest_stuck)
    told_stuck_.insert(report.sandbox);
  const auto machine = nodes[index].machines->find(report.sandbox);
  if (!machine || told_stuck_.contains(report.sandbox))
    return;
  if (machine->health() != vmm_health::running)
    violate(fmt::format("operation {} ended in '{}', but its source {} is {}",
                        report.operation.value, to_string(report.outcome),
                        report.sandbox.value,
                        schema::name_of(machine->health())));
}

microseconds simulated_fleet::wall() const {
  return std::chrono::duration_cast<microseconds>(w.now().time_since_epoch());
}

} // namespace forkfleet::test
