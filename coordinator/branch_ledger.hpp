// SPDX-License-Identifier: Apache-2.0
// Pure: the operations of the fleet, branches and restores, each of which
// ends exactly once. A repeated id joins its entry or gets its outcome.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "actors/sandbox_protocol.hpp"

namespace forkfleet {

enum class operation_kind : uint8_t { branch, restore };

/// What an operation is about. A repeated id must say the same.
struct operation_intent {
  operation_id operation = {};
  operation_kind kind = operation_kind::branch;
  sandbox_id sandbox = {}; // the source, or the child
  snapshot_tag tag = {};   // the result, or what the child comes from
  branch_mode mode = branch_mode::automatic;
  /// Who asked, as the first request had it.
  std::string subject = {};
  /// All of it, where it came to this coordinator; else what its node tells.
  std::variant<std::monostate, branch_request, restore_request> request = {};
  std::string digest = {};
};

operation_intent intent_of(const branch_request& x);
operation_intent intent_of(const restore_request& x);

/// Where an entry stands. `uncertain`: its node stopped answering, and only
/// that node can tell what became of it.
enum class entry_state : uint8_t { running, uncertain, ended };

/// One operation. The report of its kind holds once it has ended.
struct ledger_entry {
  operation_intent intent = {};
  host_name host = {};
  entry_state state = entry_state::running;
  bool is_learned = false; // from a node, which tells the request's digest
  bool is_asked = false;   // a request to the node is in flight
  uint64_t attempt = 0;    // which request; an older one's error is void
  branch_report branch = {};
  restore_report restore = {};
};

/// The limits of a ledger.
struct ledger_limits {
  std::size_t open_max = 4096;   // running and uncertain ones
  std::size_t ended_max = 10000; // remembered; the oldest is dropped
};

/// What `open` found.
enum class opening : uint8_t { opened, joined, ended };

/// Entries by their operation's id.
class branch_ledger {
public:
  explicit branch_ledger(ledger_limits limits);

  /// Whether `intent` may begin, without beginning it: `opened` means yes.
  /// Errors: operation_conflict when the id stands for something else,
  /// snapshot_exists and sandbox_exists when an open operation makes a thing
  /// of that name, node_busy at the limit.
  expected<opening> check(const operation_intent& intent) const;

  /// snapshot_exists when an open branch makes a snapshot of that name.
  std::optional<failure> name_taken(const snapshot_tag& tag) const;

  /// Begins it on `host`, or says that it is there already.
  expected<opening> open(const operation_intent& intent, const host_name& host);

  /// Ends an entry with its report, once: false when it is not open.
  bool close(const branch_report& report);
  bool close(const restore_report& report);

  /// It never started: the id is free again. Ended entries stay.
  void forget(const operation_id& operation);

  /// Nobody answers for it; the node may know, once it is back.
  void doubt(const operation_id& operation);

  /// Doubts all that run on `host`; returns them.
  std::vector<operation_id> doubt_all(const host_name& host);

  /// The node is being asked for it (again). Returns the attempt's number,
  /// which no other attempt of this ledger has; 0 when it is not open.
  uint64_t trust(const operation_id& operation);

  /// Takes what a node tells of a branch. True when it ended an open entry.
  /// A status without a sandbox, or with a name that is none, is ignored.
  bool learn(const host_name& host, const operation_status& told);

  /// Null when nobody here knows it.
  const ledger_entry* find(const operation_id& operation) const;

  /// What is known of it, for a client.
  operation_status status(const operation_id& operation) const;

  /// Open operations of `host` whose end no request waits for, at most
  /// `count_max`: the node must be asked for them by id.
  std::vector<operation_id> unasked(const host_name& host,
                                    std::size_t count_max) const;

  std::size_t open_count() const { return entries_.size() - ended_.size(); }
  std::size_t ended_count() const { return ended_.size(); }

private:
  ledger_entry* find_open(const operation_id& operation);
  std::optional<failure> name_taken(const operation_intent& intent) const;
  void end(ledger_entry& entry);
  void release(const ledger_entry& entry);

  ledger_limits limits_;
  uint64_t attempts_ = 0;
  std::map<operation_id, ledger_entry> entries_;
  std::deque<operation_id> ended_; // oldest first; exactly the ended entries
  std::map<host_name, std::set<operation_id>> open_; // exactly the others
  std::map<snapshot_tag, operation_id> tags_;        // made by open branches
  std::map<sandbox_id, operation_id> children_;      // made by open restores
};

} // namespace forkfleet
