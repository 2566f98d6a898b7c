// SPDX-License-Identifier: Apache-2.0
// The COORDINATOR: routes each request to the node that holds the thing,
// keeps the ledger of operations and the lineage, and knows who is up. It
// keeps nothing on disk: nodes tell it all that it must know.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <variant>
#include <vector>

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/access.hpp"
#include "actors/audit_record.hpp"
#include "actors/interfaces.hpp"
#include "coordinator/audit_budget.hpp"
#include "coordinator/branch_ledger.hpp"
#include "coordinator/event_log.hpp"
#include "coordinator/lineage.hpp"
#include "coordinator/node_table.hpp"
#include "coordinator/settings.hpp"

namespace forkfleet {

/// Whether the program behind a node's handle may speak for that host. Must
/// answer at once.
using hello_check = std::function<status(const node_actor&, const host_name&)>;

/// Whom the COORDINATOR believes, and where it writes what was asked. All
/// answer at once.
struct coordinator_access {
  coordinator_access() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): the rest is left out.
  coordinator_access(hello_check x) : may_speak_for(std::move(x)) {}

  /// Without it any node may speak for any host.
  hello_check may_speak_for = {};
  /// Who is behind a program. Without it everybody is an admin.
  std::function<access_subject(const caf::node_id&)> who_is = {};
  /// Takes what belongs into the audit log; may be left out.
  std::function<void(const audit_record&)> audit = {};
};

/// The COORDINATOR as it sees itself.
using local_coordinator_actor = coordinator_actor::extend<
  // INTERNAL: time to look who is silent and whose time is up.
  caf::reacts_to<caf::tick_atom>>;

/// A client that waits for an operation's end.
template <class Report>
struct report_waiter {
  caf::typed_response_promise<Report> promise = {};
  std::chrono::steady_clock::time_point until = {};
};

/// Clients by the operation that they wait for. No vector is empty.
template <class Report>
using report_waiters =
  std::map<operation_id, std::vector<report_waiter<Report>>>;

/// The client that waits for an errand's answer.
using errand_promise =
  std::variant<caf::typed_response_promise<done>,
               caf::typed_response_promise<branch_report>,
               caf::typed_response_promise<verify_report>,
               caf::typed_response_promise<archive_report>,
               caf::typed_response_promise<inspect_report>,
               caf::typed_response_promise<compare_report>,
               caf::typed_response_promise<exec_report>,
               caf::typed_response_promise<file_report>,
               caf::typed_response_promise<console_report>,
               caf::typed_response_promise<fsck_report>,
               caf::typed_response_promise<doctor_report>,
               caf::typed_response_promise<restore_report>>;

/// A request other than a branch or a restore that its node has not
/// answered.
struct errand {
  host_name host = {};
  errand_promise promise = {};
};

/// A client that waits for events.
struct event_follower {
  caf::typed_response_promise<event_list> promise = {};
  uint64_t after = 0;
  std::chrono::steady_clock::time_point until = {};
};

struct coordinator_state {
  static inline const char* name = "coordinator";
  coordinator_settings settings = {};
  coordinator_access access = {};
  /// Whose request is being handled; nobody's between two requests.
  access_subject asking = {};
  audit_budget refusals = {};
  uint64_t epoch = 1;                             // carried by every command
  std::map<host_name, uint64_t> epochs_told = {}; // by us, in this life
  std::mt19937_64 dice = {};
  std::chrono::steady_clock::time_point started = {};
  std::chrono::steady_clock::time_point next_probe = {};
  node_table nodes{{}, {}};
  lineage names = {};
  branch_ledger ledger{{}};
  event_log events{1};
  std::map<host_name, node_actor> handles = {}; // exactly the hosts that are up
  report_waiters<branch_report> branches = {};
  report_waiters<restore_report> restores = {};
  std::map<uint64_t, errand> errands = {};
  uint64_t next_errand = 1;
  std::set<operation_id> probed = {}; // asked by id, not answered yet
  std::vector<event_follower> followers = {};
};

using coordinator_pointer =
  local_coordinator_actor::stateful_pointer<coordinator_state>;

/// Starts empty. Until each host of the fleet file has told what it holds,
/// or twice the node timeout has passed, what is unknown is `not_ready`.
local_coordinator_actor::behavior_type
coordinator(coordinator_pointer self, coordinator_settings settings,
            coordinator_access access);

} // namespace forkfleet
