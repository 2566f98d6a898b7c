// SPDX-License-Identifier: Apache-2.0
// One host under simulated time, with a real disk and simulated VMs, and a
// COORDINATOR that the test plays: for tests of a node's actors.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "node/node.hpp"
#include "node/simulated/simulated_driver.hpp"
#include "node/storage/disk_snapshot_store.hpp"
#include "node/storage/file_journal.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/world.hpp"

namespace forkfleet::test {

/// A world that knows the messages within a node.
struct node_world : world {
  explicit node_world(uint64_t seed = 7);
};

/// A host: its disk and its VMs outlive the actors on it.
class simulated_place {
public:
  explicit simulated_place(world& w);

  /// All that a life of a node works with; opens the disk again.
  node_services services();
  /// What an earlier life left.
  recovery_result recover(const node_services& services);
  /// What a branch of the VM works with.
  branch_context context(const vmm_ptr& vm);
  /// Starts a VM.
  vmm_ptr start_vm(const std::string& id);

  simulated_faults& faults() { return *faults_; }
  simulated_machine_ptr machine(const std::string& id) const {
    return machines_->find({id});
  }
  std::vector<sandbox_record> records() const;
  /// How many simulated VMs have not ended.
  std::size_t running_vms() const;
  /// The data directory.
  std::string data() const { return scratch_.path(); }
  /// Called whenever a VM takes its time.
  std::function<void()> on_pass = [] {};
  /// Whether VMs of an earlier life do not answer.
  std::shared_ptr<bool> is_deaf = std::make_shared<bool>(false);
  std::shared_ptr<disk_snapshot_store> store = {};
  std::shared_ptr<file_journal> journal = {};
  config::branch_section policy = {};

private:
  void open();

  world& w_;
  scratch_directory scratch_ = {};
  simulated_faults_ptr faults_ = std::make_shared<simulated_faults>();
  simulated_host_ptr machines_ = std::make_shared<simulated_host>();
  std::shared_ptr<sandbox_records> records_ = {};
};

/// What the coordinator is to answer, and what it heard.
struct coordinator_script {
  bool can_be_dialed = true;
  bool hears = true;      // false: it answers nothing
  bool knows_node = true; // by its answer to a heartbeat
  failure refusal = {};   // of a hello
  failure page_refusal = {};
  uint64_t epoch = 3;

  std::size_t dialed = 0;
  std::vector<node_hello> hellos = {};
  std::vector<inventory_page> pages = {};
  std::vector<fleet_event> events = {};
  std::vector<node_heartbeat> beats = {};
  std::size_t goodbyes = 0;
};

/// A node of the host h1 with one declared sandbox s1, and verbs for what a
/// coordinator asks it.
class node_fixture {
public:
  node_fixture();
  ~node_fixture();

  /// Starts the node and lets it join.
  void start();
  /// SIGKILL: its VMs run on.
  void kill();
  /// Another life on the same host.
  void restart();
  void declare(const std::string& id);

  /// Asks; the answer comes as the world runs.
  template <class Reply, class Request>
  answer<Reply> ask_later(const Request& request) {
    return w.ask<Reply>(unit, std::chrono::minutes{30}, request);
  }
  template <class Reply, class Request>
  expected<Reply> ask(const Request& request) {
    const auto got = ask_later<Reply>(request);
    w.run();
    if (!got->has_value())
      return fail(ec::none, "no answer yet");
    return got->value();
  }
  branch_request request(const std::string& operation,
                         const std::string& sandbox = "s1") const;
  expected<branch_report> branch(const std::string& operation,
                                 const std::string& sandbox = "s1");
  expected<restore_report> restore(const std::string& operation,
                                   const std::string& tag,
                                   const std::string& child);
  expected<done> stop(const std::string& sandbox);

  /// The actor itself, for a look between two messages; it may be made to
  /// send, too.
  node_pointer unit_pointer();
  node_actor_state& state() { return unit_pointer()->state; }
  const sandbox_info& info(const std::string& id) {
    return state().sandboxes.at({id}).info;
  }
  /// A new COORDINATOR takes the place of the old one.
  void renew_coordinator();

  node_world w;
  simulated_place place{w};
  /// Called with each life's services before it starts.
  std::function<void(node_services&)> adjust = [](node_services&) {};
  node_settings settings{.host = {"h1"}, .version = "test"};
  std::shared_ptr<coordinator_script> script =
    std::make_shared<coordinator_script>();
  coordinator_actor coordinator;
  connector_actor connector;
  local_node_actor unit;
};

} // namespace forkfleet::test
