// SPDX-License-Identifier: Apache-2.0
#include "tests/node/node_fixture.hpp"

#include <algorithm>
#include <utility>

#include <catch2/catch.hpp>

#include "actors/harden.hpp"

namespace forkfleet::test {

using namespace std::chrono_literals;

namespace {

using script_ptr = std::shared_ptr<coordinator_script>;

struct played_state {
  static inline const char* name = "played-coordinator";
  std::vector<caf::response_promise> silent = {};
};

using played_ptr = coordinator_actor::stateful_pointer<played_state>;

/// The answer, or none for ever.
template <class Reply>
caf::result<Reply> unless_silent(played_ptr self, const script_ptr& script,
                                 Reply reply) {
  if (script->hears)
    return reply;
  auto promise = self->make_response_promise<Reply>();
  self->state.silent.push_back(promise);
  return promise;
}

caf::result<node_welcome> on_hello(played_ptr self, const script_ptr& script,
                                   const node_hello& hello) {
  script->hellos.push_back(hello);
  if (script->refusal)
    return to_caf_error(script->refusal);
  return unless_silent(self, script,
                       node_welcome{.epoch = script->epoch, .heartbeat = 1s});
}

coordinator_actor::behavior_type played_coordinator(played_ptr self,
                                                    script_ptr script) {
  harden(self);
  return {
    [](const branch_request&) { return branch_report{}; },
    [](const operation_query&) { return operation_status{}; },
    [](const restore_request&) { return restore_report{}; },
    [](const stop_request&) { return done{}; },
    [](const remove_request&) { return done{}; },
    [](const cancel_request&) { return done{}; },
    [](const flatten_request&) { return done{}; },
    [](const verify_request& x) { return verify_report{.tag = x.tag}; },
    [](const export_request& x) { return archive_report{.tag = x.tag}; },
    [](const import_request& x) { return archive_report{.tag = x.tag}; },
    [](const annotate_request&) { return inspect_report{}; },
    [](const inspect_request&) { return inspect_report{}; },
    [](const compare_request&) { return compare_report{}; },
    [](const exec_request&) { return exec_report{}; },
    [](const file_request&) { return file_report{}; },
    [](const console_request&) { return console_report{}; },
    [](const fsck_request&) { return fsck_report{}; },
    [](const doctor_request&) { return doctor_report{}; },
    [](const rollback_request&) { return restore_report{}; },
    [](const promote_request&) { return restore_report{}; },
    [](const nodes_request&) { return node_list{}; },
    [](const sandboxes_request&) { return sandbox_list{}; },
    [](const snapshots_request&) { return snapshot_list{}; },
    [](const events_request&) { return event_list{}; },
    [self, script](const node_hello& x, const node_actor&) {
      return on_hello(self, script, x);
    },
    [self, script](const inventory_page& x) -> caf::result<done> {
      if (script->page_refusal)
        return to_caf_error(script->page_refusal);
      script->pages.push_back(x);
      return unless_silent(self, script, done{});
    },
    [self, script](const node_heartbeat& x) {
      script->beats.push_back(x);
      return unless_silent(
        self, script,
        heartbeat_ack{.epoch = script->epoch, .known = script->knows_node});
    },
    [self, script](const node_events& x) {
      script->events.insert(script->events.end(), x.events.begin(),
                            x.events.end());
      return unless_silent(self, script, done{});
    },
    [self, script](const node_goodbye&) {
      ++script->goodbyes;
      return unless_silent(self, script, done{});
    },
  };
}

connector_actor::behavior_type
played_connector(connector_actor::pointer, script_ptr script,
                 const coordinator_actor* coordinator) {
  return {
    [script,
     coordinator](const connect_request&) -> caf::result<coordinator_actor> {
      ++script->dialed;
      if (!script->can_be_dialed)
        return to_caf_error(ec::node_down, "nobody listens");
      return *coordinator;
    },
  };
}

/// A driver that may fail to find what it started.
class fickle_driver : public simulated_driver {
public:
  fickle_driver(simulated_settings settings, std::shared_ptr<bool> is_deaf)
    : simulated_driver{std::move(settings)}, is_deaf_{std::move(is_deaf)} {}

  expected<vmm_ptr> adopt(const start_plan& plan,
                          deadline_point until) override {
    if (*is_deaf_)
      return fail(ec::vmm_unreachable, plan.id.value + " does not answer");
    return simulated_driver::adopt(plan, until);
  }

private:
  std::shared_ptr<bool> is_deaf_;
};

void add_node_messages(system_config& config) {
  config.add_message_types<caf::id_block::forkfleet_node>();
}

config::sandbox_section spec_of(const std::string& id) {
  return {.name = {id},
          .host = {"h1"},
          .driver = config::driver_kind::simulated,
          .memory = {1u << 20}};
}

} // namespace

node_world::node_world(uint64_t seed) : world{seed, add_node_messages} {}

simulated_place::simulated_place(world& w) : w_{w} {
  open();
}

void simulated_place::open() {
  store.reset();
  journal.reset();
  records_.reset();
  const auto data = data_directory::open(scratch_.path());
  REQUIRE(data);
  records_ = std::make_shared<sandbox_records>(*data);
  store = disk_snapshot_store::open_in(*data, {"h1"}).value();
  journal = file_journal::open_in(*data).value();
}

node_services simulated_place::services() {
  open();
  auto driver = std::make_shared<fickle_driver>(
    simulated_settings{.time = {.now = [this] { return w_.now(); },
                                .pass =
                                  [this](caf::timespan x) {
                                    w_.pass(x);
                                    on_pass();
                                  }},
                       .faults = faults_,
                       .host = machines_},
    is_deaf);
  return {
    .drivers = {{driver->name(), driver}},
    .store = store,
    .journal = journal,
    .keep_record =
      [records = records_](const sandbox_record& x) -> expected<std::string> {
      if (auto saved = records->save(x); !saved)
        return tl::unexpected{saved.error()};
      return records->directory(place_of(x));
    },
    .forget_record = [records = records_](
                       const sandbox_id& id) { CHECK(records->remove(id)); },
    .wall = [] { return microseconds{1'000'000}; },
    .threads = false};
}

recovery_result simulated_place::recover(const node_services& services) {
  return forkfleet::recover({.host = {"h1"},
                             .drivers = services.drivers,
                             .store = *store,
                             .journal = *journal,
                             .records = *records_});
}

std::size_t simulated_place::running_vms() const {
  std::size_t count = 0;
  for (const auto& [id, machine] : machines_->all())
    count += machine->health() == vmm_health::gone ? 0 : 1;
  return count;
}

std::vector<sandbox_record> simulated_place::records() const {
  auto problems = std::vector<std::string>{};
  return *records_->load_all(problems);
}

vmm_ptr simulated_place::start_vm(const std::string& id) {
  const auto all = services();
  const auto plan = start_plan{.id = {id}, .spec = spec_of(id)};
  return all.drivers.at("simulated")->start(plan, w_.now() + 1min).value();
}

branch_context simulated_place::context(const vmm_ptr& vm) {
  return {.vmm = vm,
          .store = store,
          .journal = journal,
          .host = {"h1"},
          .policy = policy,
          .now = [this] { return w_.now(); },
          .arrival = w_.now(),
          .wall = [] { return microseconds{1'000'000}; },
          .tell = [](const fleet_event&) {}};
}

node_fixture::node_fixture() {
  renew_coordinator();
  connector = w.spawn(played_connector, script,
                      static_cast<const coordinator_actor*>(&coordinator));
  declare("s1");
}

node_fixture::~node_fixture() {
  kill();
  if (coordinator)
    w.kill(coordinator);
  coordinator = coordinator_actor{};
  connector = connector_actor{};
  w.run();
}

void node_fixture::declare(const std::string& id) {
  settings.declared.push_back(spec_of(id));
}

void node_fixture::renew_coordinator() {
  if (coordinator)
    w.kill(coordinator);
  coordinator = w.spawn(played_coordinator, script);
}

void node_fixture::start() {
  auto services = place.services();
  auto found = place.recover(services);
  adjust(services);
  services.adopted = std::move(found.adopted);
  services.doomed = std::move(found.doomed);
  services.unread = std::move(found.unread);
  services.ended = std::move(found.ended);
  unit = w.spawn(node, settings, std::move(services), connector);
  w.run();
}

void node_fixture::kill() {
  if (!unit)
    return;
  auto is_dead = std::make_shared<bool>(false);
  unit_pointer()->attach_functor([is_dead] { *is_dead = true; });
  for (const auto* hands :
       {&state().hands, &state().upkeep.hands, &state().watch.hands})
    for (const auto& hand : *hands)
      w.kill(hand);
  w.kill(unit);
  // What is before that in its mailbox may still make a SANDBOX.
  auto doomed = std::vector<sandbox_actor>{};
  do {
    for (const auto& [id, managed] : state().sandboxes)
      if (managed.handle && std::ranges::count(doomed, managed.handle) == 0) {
        doomed.push_back(managed.handle);
        w.kill(managed.handle);
      }
  } while (w.run_one() && !*is_dead);
  unit = local_node_actor{};
  w.run();
}

void node_fixture::restart() {
  kill();
  ++settings.incarnation;
  start();
}

branch_request node_fixture::request(const std::string& operation,
                                     const std::string& sandbox) const {
  return {.operation = {operation},
          .sandbox = {sandbox},
          .tag = {operation},
          .epoch = script->epoch};
}

expected<branch_report> node_fixture::branch(const std::string& operation,
                                             const std::string& sandbox) {
  return ask<branch_report>(request(operation, sandbox));
}

expected<restore_report> node_fixture::restore(const std::string& operation,
                                               const std::string& tag,
                                               const std::string& child) {
  return ask<restore_report>(restore_request{.operation = {operation},
                                             .tag = {tag},
                                             .sandbox = {child},
                                             .epoch = script->epoch});
}

expected<done> node_fixture::stop(const std::string& sandbox) {
  return ask<done>(stop_request{.sandbox = {sandbox}, .epoch = script->epoch});
}

node_pointer node_fixture::unit_pointer() {
  auto* actor = caf::actor_cast<caf::abstract_actor*>(unit);
  auto self = dynamic_cast<node_pointer>(actor);
  // What ran it last is gone; what it sends from here goes to the scheduler.
  self->context(nullptr);
  return self;
}

} // namespace forkfleet::test
