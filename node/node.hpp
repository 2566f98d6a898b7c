// SPDX-License-Identifier: Apache-2.0
// NODE: owns one host's sandboxes and snapshots. It dials the COORDINATOR,
// joins with all that it holds, shows that it lives, and does what it is
// asked. The only one who knows what runs on this host.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "actors/doctor_protocol.hpp"
#include "config/fleet_file.hpp"
#include "node/admission.hpp"
#include "node/agent/guest_access.hpp"
#include "node/ledger/ledger.hpp"
#include "node/limits/descriptor_admission.hpp"
#include "node/limits/vm_users.hpp"
#include "node/local_messages.hpp"
#include "node/network/sandbox_networks.hpp"
#include "node/operation_table.hpp"
#include "node/pause_gate.hpp"
#include "node/recovery.hpp"
#include "node/retention.hpp"

namespace forkfleet {

/// What a NODE is told at its start. Constant afterwards.
struct node_settings {
  host_name host = {};
  std::string identity = {}; // of the data directory
  uint64_t incarnation = 1;
  uint64_t life = 0; // random, of this start
  std::string version = {};
  std::string data = {};
  std::string accelerator = {};
  uint64_t branch_slots = 2;
  uint64_t branch_queue = 64; // branches that may wait
  config::branch_section branch = {};
  config::retention_section retention = {};
  config::limits_section limits = {};
  std::string limits_text = {};      // which can be enforced, or why none
  std::string network_text = {};     // how sandboxes can be connected
  std::string confinement_text = {}; // what VMs are kept from, and how
  /// Sandboxes of the fleet file that belong to this host.
  std::vector<config::sandbox_section> declared = {};
  int leash_pid = 0;
  /// Whether draining ends the VMs too, or leaves them to the next life.
  bool stop_sandboxes = false;
  milliseconds probe_interval{2000};
  milliseconds reconnect_min{200};
  milliseconds reconnect_max{2000};
  uint64_t seed = 1; // for the jitter of reconnects
};

/// How a NODE reaches its host, and what it found there.
struct node_services {
  driver_table drivers = {};
  host_images_ptr images = {};
  snapshot_store_ptr store = {};
  operation_journal_ptr journal = {};
  /// Makes a sandbox's directory and record, durably; gives the directory.
  std::function<expected<std::string>(const sandbox_record&)> keep_record = {};
  /// Removes both; correct when there are none.
  std::function<void(const sandbox_id& place)> forget_record = {};
  /// Where a sandbox' files lie. Empty: nowhere.
  std::function<std::string(const sandbox_id& place)> directory_of = {};
  /// Reads one again. Empty: never.
  std::function<expected<sandbox_record>(const sandbox_id& place)> load_record =
    {};
  std::function<microseconds()> wall = {};
  /// What of the host's memory those VMs take. Blocks. Empty: memory is not
  /// looked at, and never refused.
  std::function<memory_sample(const memory_targets&)> memory = {};
  /// The file descriptors of the NODE. Empty: they are never short.
  std::function<descriptor_sample()> descriptors = {};
  /// Null: no VM is limited.
  std::shared_ptr<sandbox_cgroups> cgroups = {};
  /// Null: no VM has a user of its own.
  std::shared_ptr<vm_users> users = {};
  /// Null: no sandbox has a network.
  std::shared_ptr<sandbox_networks> networks = {};
  /// Where an archive of that name lies; makes its directory. Blocks.
  std::function<expected<std::string>(const std::string&)> find_archive = {};
  /// Looks at the host and judges, given the sandboxes and operations of the
  /// NODE and when it had them. Blocks. May be empty.
  std::function<expected<host_ledger>(ledger_owners, const ledger_times&)>
    look_at_host = {};
  /// What this host can do, and how to mend the rest. Blocks. May be empty.
  std::function<std::vector<host_check>()> examine_host = {};
  /// Removes what the ledger says that nobody owns. Blocks.
  std::function<void(host_ledger&)> repair_host = {};
  /// Makes the calling thread give way to all others. May be empty.
  std::function<void()> calm_down = {};
  /// Closed while a guest of this host stands. May be null.
  pause_gate_ptr gate = {};
  /// How a worker waits; empty: on its thread.
  std::function<void(std::chrono::steady_clock::time_point)> wait_until = {};
  std::vector<adopted_sandbox> adopted = {};
  std::vector<sandbox_record> doomed = {};
  std::vector<unread_record> unread = {};
  std::vector<journal_entry> ended = {};
  /// Kept of what each VM prints.
  uint64_t console_bytes = console_bytes_usual;
  /// Whether workers get threads of their own; false under the simulation.
  bool threads = true;
};

/// A sandbox of this node. `handle` is empty while it starts, after its VM
/// could not be started or found, and after its SANDBOX ended.
struct managed_sandbox {
  sandbox_info info = {};
  sandbox_actor handle = {};
  sandbox_record record = {}; // as it is kept on the disk
  /// Does what blocks for this sandbox: its record is used in order.
  host_worker_actor hand = {};
  bool is_ending = false;     // its VM is being ended, or its record removed
  bool is_waiting = false;    // to be asked whether the host has its memory
  std::string switching = {}; // such as "rolled back"; empty for none
};

/// A restore that this node knows, under way or ended.
struct known_restore {
  restore_request request = {};
  bool ended = false;
  restore_report report = {};
  std::vector<caf::typed_response_promise<restore_report>> waiting = {};
};

/// The way to the coordinator: one message in flight, the rest in order.
struct uplink_state {
  using item = std::variant<inventory_page, node_events>;

  enum class link : uint8_t { down, connecting, joining, joined };

  link where = link::down;
  coordinator_actor coordinator = {};
  uint64_t connection = 0; // counts up; late answers of older ones are void
  uint64_t epoch = 0;      // highest obeyed
  uint64_t heartbeat_sequence = 0;
  uint64_t missed = 0; // heartbeats without an answer
  milliseconds heartbeat{1000};
  milliseconds backoff{200};
  uint64_t dice = 1;
  std::deque<item> outbox = {};
  bool sending = false;
  uint64_t events_dropped = 0;
};

/// Flattens, verifications and archives: under way, and waiting for a turn.
struct upkeep_state {
  std::vector<host_worker_actor> hands = {};
  std::vector<host_worker_actor> idle = {}; // those of them without work
  std::deque<std::function<void(const host_worker_actor&)>> queue = {};
  /// What is under way ends soon.
  std::shared_ptr<std::atomic<bool>> is_ending =
    std::make_shared<std::atomic<bool>>(false);
};

/// Chains that are made shorter in the background, one at a time.
struct flattening_state {
  host_worker_actor hand = {};
  std::deque<snapshot_tag> queue = {}; // that were deep when they came
  snapshot_tag tag = {};               // under way; empty for none
  int attempts = 0;                    // that failed, of this one
};

/// What goes: by request, or because the retention finds it due, which it
/// removes one after the other.
struct retention_state {
  std::set<snapshot_tag> removing = {}; // nobody may begin to need these
  std::deque<snapshot_tag> queue = {};  // of the sweep under way
  bool is_removing = false;
  age_clock ages = {};
};

/// What waits for one guest, or for one console: done one after the other.
struct access_line {
  std::shared_ptr<agent_seat> seat = {}; // null: it needs no agent
  std::deque<std::function<void(const host_worker_actor&)>> queue = {};
  bool is_busy = false;
  bool is_silent = false; // it did not answer the last time
  std::chrono::steady_clock::time_point last = {}; // when it had work
};

/// Programs, files and consoles of guests. What needs the guest's agent has
/// the first line of a sandbox, its console the second.
struct access_state {
  using key = std::pair<sandbox_id, bool>;

  std::vector<host_worker_actor> hands = {};
  std::vector<host_worker_actor> idle = {}; // those of them without work
  std::map<key, access_line> lines = {};
  std::deque<key> ready = {}; // lines with work and without a worker
  std::size_t waiting = 0;    // workers with a line that was silent
  bool is_reminded = false;   // that connections are to be let go
  /// The digests of the starts of programs, by their ids; the latest.
  std::map<operation_id, std::string> starts = {};
  std::deque<operation_id> start_order = {}; // oldest first; exactly these
};

/// One VM takes the place of another under a name.
struct switch_run {
  operation_id operation = {};
  sandbox_id name = {};
  sandbox_id from = {};       // the promoted child's name; empty: a rollback
  sandbox_record record = {}; // of who has the name afterwards
  sandbox_record before = {}; // of a promoted child
  sandbox_info info = {};
  vmm_ptr vmm = {};
  vmm_ptr old_vmm = {}; // of who had the name
  sandbox_network old_network = {};
  host_worker_actor hand = {};
  std::chrono::steady_clock::time_point begun = {};
  std::chrono::steady_clock::time_point until = {};
  microseconds started{0};
  std::vector<caf::typed_response_promise<restore_report>> waiting = {};
};

/// Rollbacks and promotions under way.
struct switch_state {
  std::map<operation_id, std::shared_ptr<switch_run>> running = {};
  std::set<sandbox_id> retiring = {}; // directories of VMs that are ended
};

/// A VM of which nobody knows whether it runs: its name and its directory stay
/// taken, and it is looked for until it answers or has certainly ended.
struct lost_vm {
  sandbox_record record = {};
  std::string directory = {};
  bool is_unread = false;    // its record is to be read first
  bool is_doomed = false;    // it has no name, and is ended when it is found
  bool was_standing = false; // a branch may have left its guest so
  bool is_looked_for = false;
  milliseconds wait{0}; // before the next look
  std::chrono::steady_clock::time_point due = {};
};

struct watch_state {
  std::vector<host_worker_actor> hands = {};
  std::vector<host_worker_actor> idle = {}; // those of them without work
  std::map<sandbox_id, lost_vm> lost = {};  // by place
  /// Declared sandboxes that may have one of the records that are not read.
  std::set<sandbox_id> held = {};
  bool is_reminded = false;
};

/// A look at what nobody owns; one at a time.
struct fsck_state {
  host_worker_actor hand = {};
  bool is_running = false;
  std::set<std::string> removing = {}; // nothing is begun under these names
  /// Ended a short time ago: a keeper of theirs may still be ending.
  std::deque<std::pair<std::chrono::steady_clock::time_point, sandbox_id>>
    departed = {};
};

struct node_actor_state {
  static inline const char* name = "node";
  node_settings settings = {};
  node_services services = {};
  connector_actor connector = {};
  operation_table operations{operation_journal::entries_max};
  admission slots{1, 0};
  std::map<operation_id, branch_order> orders = {}; // running and queued
  std::map<sandbox_id, managed_sandbox> sandboxes = {};
  std::map<snapshot_tag, snapshot_info> snapshots = {};
  std::map<operation_id,
           std::vector<caf::typed_response_promise<branch_report>>>
    waiting = {};
  std::map<operation_id, known_restore> restores = {};
  std::deque<operation_id> ended_restores = {}; // oldest first
  std::vector<host_worker_actor> hands = {};
  std::size_t next_hand = 0;
  /// Each waits for one guest, and ends after it.
  std::vector<host_worker_actor> waiting_hands = {};
  upkeep_state upkeep = {};
  access_state access = {};
  flattening_state flattening = {};
  retention_state retention = {};
  fsck_state fsck = {};
  host_worker_actor doctor = {}; // examines the host
  switch_state switches = {};
  watch_state watch = {};
  node_load load = {};
  bool measuring = false; // a HOST WORKER is at the load
  memory_sample memory = {};
  uplink_state uplink = {};
  bool draining = false;
  std::vector<caf::typed_response_promise<done>> drain_promises = {};
  std::chrono::steady_clock::time_point drain_until = {};
};

using node_pointer = local_node_actor::stateful_pointer<node_actor_state>;

/// Adopts what was found, starts what the fleet file declares, and joins.
local_node_actor::behavior_type node(node_pointer self, node_settings settings,
                                     node_services services,
                                     connector_actor connector);

} // namespace forkfleet
