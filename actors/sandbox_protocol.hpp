// SPDX-License-Identifier: Apache-2.0
// Sandboxes and snapshots: what there is, restore, stop, remove. Structs
// only; knows no CAF.
#pragma once

#include "actors/guest_protocol.hpp"
#include "actors/limits_protocol.hpp"
#include "actors/network_protocol.hpp"

namespace forkfleet {

/// Where a sandbox stands.
enum class sandbox_state : uint8_t {
  starting,
  running,
  paused,
  stuck,
  stopped,
  gone,
};

constexpr auto enum_table(sandbox_state) {
  using enum sandbox_state;
  return std::to_array<schema::enum_entry<sandbox_state>>({
    {starting, "starting"},
    {running, "running"},
    {paused, "paused"},
    {stuck, "stuck", "a person must look: it did not resume or answer"},
    {stopped, "stopped", "ended by request"},
    {gone, "gone", "its VM ended by itself"},
  });
}

/// How a sandbox came to be.
enum class sandbox_origin : uint8_t { declared, attached, restored };

constexpr auto enum_table(sandbox_origin) {
  using enum sandbox_origin;
  return std::to_array<schema::enum_entry<sandbox_origin>>({
    {declared, "declared", "started from the fleet file"},
    {attached, "attached", "somebody else's VM, by its QMP socket"},
    {restored, "restored", "a child of a snapshot"},
  });
}

/// One sandbox, as its node tells it.
struct sandbox_info {
  sandbox_id id = {};
  host_name host = {};
  sandbox_state state = sandbox_state::starting;
  sandbox_origin origin = sandbox_origin::declared;
  std::string driver = {};
  uint64_t pid = 0;
  uint64_t memory_bytes = 0;
  uint64_t vcpus = 0;
  snapshot_tag parent = {};
  uint64_t branches = 0;
  microseconds started_at{0};
  std::string directory = {};
  std::string console = {};
  std::string debug_console = {};
  std::string note = {};
  operation_id operation = {};
  std::string agent = {};
  identity_receipt identity = {};
  sandbox_limits limits = {};
  std::string cgroup = {};
  std::string unenforced = {};
  sandbox_network network = {};
  operation_id switched_by = {};

  friend bool operator==(const sandbox_info&, const sandbox_info&) = default;
  static constexpr schema::about about{"sandbox_info", "One sandbox."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("id", &sandbox_info::id, "Its name in the fleet."),
      schema::field("host", &sandbox_info::host, "Where it runs."),
      schema::field("state", &sandbox_info::state, "Where it stands."),
      schema::field("origin", &sandbox_info::origin, "How it came to be."),
      schema::field("driver", &sandbox_info::driver, "Which VMM runs it."),
      schema::field("pid", &sandbox_info::pid, "The VMM's process."),
      schema::field("memory_bytes", &sandbox_info::memory_bytes,
                    "Guest memory."),
      schema::field("vcpus", &sandbox_info::vcpus, "Virtual CPUs."),
      schema::field("parent", &sandbox_info::parent,
                    "The snapshot that it was restored from."),
      schema::field("branches", &sandbox_info::branches,
                    "Branches sealed of it."),
      schema::field("started_at_us", &sandbox_info::started_at,
                    "When it started, in Unix time."),
      schema::field("directory", &sandbox_info::directory,
                    "Its run files on the host."),
      schema::field("console", &sandbox_info::console,
                    "The file that holds its serial console's output."),
      schema::field("debug_console", &sandbox_info::debug_console,
                    "The socket of its debug console, where it has one."),
      schema::field("note", &sandbox_info::note,
                    "Why it stands where it stands."),
      schema::field("operation", &sandbox_info::operation,
                    "The restore that made it."),
      schema::field("agent", &sandbox_info::agent,
                    "The socket of its guest agent's port, where it has one."),
      schema::field("identity", &sandbox_info::identity,
                    "Of a child: the identity that its guest acknowledged."),
      schema::field("limits", &sandbox_info::limits,
                    "What its VM may take of the host."),
      schema::field("cgroup", &sandbox_info::cgroup,
                    "The cgroup that its VM runs in; empty: none of its own."),
      schema::field("unenforced", &sandbox_info::unenforced,
                    "Which limits are not enforced, and why."),
      schema::field("network", &sandbox_info::network, "How it is connected."),
      schema::field("switched_by", &sandbox_info::switched_by,
                    "The rollback or promotion that gave it its name."),
    };
  }
};

/// How a snapshot came to the host that has it.
enum class snapshot_origin : uint8_t { unknown, sealed, imported };

constexpr auto enum_table(snapshot_origin) {
  using enum snapshot_origin;
  return std::to_array<schema::enum_entry<snapshot_origin>>({
    {unknown, "unknown", "by a version that did not keep this"},
    {sealed, "sealed", "taken of a VM of this host"},
    {imported, "imported", "out of an archive"},
  });
}

/// One sealed snapshot, as its node tells it.
struct snapshot_info {
  snapshot_tag tag = {};
  host_name host = {};
  sandbox_id source = {};
  snapshot_tag parent = {};
  operation_id operation = {};
  branch_mode mode = branch_mode::automatic;
  std::string method = {};
  std::string driver = {};
  std::string root_hash = {};
  uint64_t memory_bytes = 0;
  uint64_t stored_bytes = 0;
  microseconds created_at{0};
  std::string directory = {};
  snapshot_tag base = {};
  uint64_t depth = 0;
  std::vector<std::string> labels = {};
  std::string note = {};
  sandbox_limits limits = {};
  snapshot_origin origin = snapshot_origin::unknown;
  uint64_t sequence = 0;
  uint64_t revision = 0;
  std::string subject = {};

  friend bool operator==(const snapshot_info&, const snapshot_info&) = default;
  static constexpr schema::about about{"snapshot_info", "One sealed snapshot."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("tag", &snapshot_info::tag, "Its name in the fleet."),
      schema::field("host", &snapshot_info::host, "Where it lies."),
      schema::field("source", &snapshot_info::source,
                    "The sandbox that it was taken of."),
      schema::field("parent", &snapshot_info::parent,
                    "The snapshot that the source was restored from."),
      schema::field("operation", &snapshot_info::operation,
                    "The branch that made it."),
      schema::field("mode", &snapshot_info::mode, "What was captured."),
      schema::field("method", &snapshot_info::method, "How."),
      schema::field("driver", &snapshot_info::driver, "Which VMM runs it."),
      schema::field("root_hash", &snapshot_info::root_hash,
                    "Its content, as SHA-256 in hex."),
      schema::field("memory_bytes", &snapshot_info::memory_bytes,
                    "Guest memory."),
      schema::field("stored_bytes", &snapshot_info::stored_bytes,
                    "Space that it takes on the disk."),
      schema::field("created_at_us", &snapshot_info::created_at,
                    "When it was sealed, in Unix time."),
      schema::field("directory", &snapshot_info::directory,
                    "Its directory on the host."),
      schema::field("base", &snapshot_info::base,
                    "The snapshot without which it cannot be read; empty: "
                    "it needs no other."),
      schema::field("depth", &snapshot_info::depth,
                    "Diffs down to a flat image; 0: it has one."),
      schema::field("labels", &snapshot_info::labels,
                    "KEY=VALUE each, in order of their keys."),
      schema::field("note", &snapshot_info::note, "What people say of it."),
      schema::field("limits", &snapshot_info::limits,
                    "What its source was limited to: a child is, too."),
      schema::field("origin", &snapshot_info::origin,
                    "How it came to its host."),
      schema::field("sequence", &snapshot_info::sequence,
                    "Its place in the order in which its host got its "
                    "snapshots, whatever the clock said; 0: not known."),
      schema::field("revision", &snapshot_info::revision,
                    "Of what is told here with its labels and its note: a "
                    "greater one is newer. It counts from its node's start."),
      schema::field("subject", &snapshot_info::subject,
                    "Who asked for it; empty: nobody knows any more."),
    };
  }
};

/// Starts one child of a snapshot, as a new sandbox.
struct restore_request {
  operation_id operation = {};
  snapshot_tag tag = {};
  sandbox_id sandbox = {};
  milliseconds deadline{0};
  uint64_t epoch = 0;
  restore_wait wait = restore_wait::automatic;
  child_input input = {};
  sandbox_limits limits = {};
  std::string subject = {};

  friend bool operator==(const restore_request&,
                         const restore_request&) = default;
  static constexpr schema::about about{
    "restore_request", "Start a child of a snapshot, as a new sandbox.",
    schema::access::scriptable};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("operation", &restore_request::operation,
                    "Made by the client; a retry carries the same one."),
      schema::field("tag", &restore_request::tag, "The snapshot.",
                    schema::need::required),
      schema::field("sandbox", &restore_request::sandbox,
                    "The child's name; made from the tag when empty."),
      schema::field("deadline_ms", &restore_request::deadline,
                    "Time left; 0 takes the fleet's."),
      schema::field("epoch", &restore_request::epoch,
                    "The coordinator's epoch.", schema::need::optional,
                    schema::access::internal),
      schema::field("wait", &restore_request::wait, "When it is answered."),
      schema::field("input", &restore_request::input,
                    "What the child is given of its own."),
      schema::field("limits", &restore_request::limits,
                    "What its VM may take; what is 0 is as its source's."),
      schema::field("subject", &restore_request::subject,
                    "Who asks, as the coordinator saw it.",
                    schema::need::optional, schema::access::internal),
    };
  }
};

/// How a restore ended that had started.
struct restore_report {
  operation_id operation = {};
  snapshot_tag tag = {};
  failure outcome = {};
  sandbox_info sandbox = {};
  microseconds total{0};
  microseconds started{0};
  std::string subject = {};

  friend bool operator==(const restore_report&,
                         const restore_report&) = default;
  static constexpr schema::about about{"restore_report",
                                       "How a restore ended that had started."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("operation", &restore_report::operation,
                    "The operation's id."),
      schema::field("tag", &restore_report::tag, "The snapshot."),
      schema::field("outcome", &restore_report::outcome,
                    "none: the child runs."),
      schema::field("sandbox", &restore_report::sandbox, "The child."),
      schema::field("total_us", &restore_report::total,
                    "From the request to the answer."),
      schema::field("started_us", &restore_report::started,
                    "From the request to the running VM; 0: not yet."),
      schema::field("subject", &restore_report::subject,
                    "Who asked for it; empty: nobody knows any more."),
    };
  }
};

/// Ends a sandbox's VM. One that somebody else started is only let go.
struct stop_request {
  sandbox_id sandbox = {};
  uint64_t epoch = 0;

  friend bool operator==(const stop_request&, const stop_request&) = default;
  static constexpr schema::about about{"stop_request", "End a sandbox's VM.",
                                       schema::access::scriptable};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("sandbox", &stop_request::sandbox, "Which one.",
                    schema::need::required),
      schema::field("epoch", &stop_request::epoch, "The coordinator's epoch.",
                    schema::need::optional, schema::access::internal),
    };
  }
};

/// Removes a snapshot from its host's disk.
struct remove_request {
  snapshot_tag tag = {};
  uint64_t epoch = 0;

  friend bool operator==(const remove_request&,
                         const remove_request&) = default;
  static constexpr schema::about about{
    "remove_request", "Remove a snapshot that no running child maps.",
    schema::access::scriptable};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("tag", &remove_request::tag, "Which one.",
                    schema::need::required),
      schema::field("epoch", &remove_request::epoch, "The coordinator's epoch.",
                    schema::need::optional, schema::access::internal),
    };
  }
};

/// What was asked for is done.
struct done {
  std::string note = {};

  friend bool operator==(const done&, const done&) = default;
  static constexpr schema::about about{"done", "What was asked for is done."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("note", &done::note, "What there is to say about it."),
    };
  }
};

} // namespace forkfleet
