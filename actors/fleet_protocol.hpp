// SPDX-License-Identifier: Apache-2.0
// What the fleet looks like and what happens in it: lists, one page at a
// time, and the event stream. Structs only; knows no CAF.
#pragma once

#include "actors/sandbox_protocol.hpp"

namespace forkfleet {

/// The most entries that one list message carries; keeps it far under the
/// 256 KiB that a frame may have.
inline constexpr uint64_t page_entries_max = 100;

/// Where a node stands, as the coordinator sees it.
enum class node_state : uint8_t { expected, joining, up, late, down };

constexpr auto enum_table(node_state) {
  using enum node_state;
  return std::to_array<schema::enum_entry<node_state>>({
    {expected, "expected", "in the fleet file, has not joined yet"},
    {joining, "joining", "is there, and has yet to tell what it has"},
    {up, "up"},
    {late, "late", "has missed a heartbeat"},
    {down, "down"},
  });
}

/// What a node can take, told with each heartbeat.
struct node_load {
  uint64_t branch_slots = 0;
  uint64_t branches = 0;
  uint64_t sandboxes = 0;
  uint64_t snapshots = 0;
  uint64_t disk_free_bytes = 0;
  uint64_t memory_free_bytes = 0;
  uint64_t memory_used_bytes = 0;
  uint64_t memory_promised_bytes = 0;
  uint64_t descriptors_max = 0;
  uint64_t descriptors_open = 0;
  uint64_t descriptor_room = 0;

  friend bool operator==(const node_load&, const node_load&) = default;
  static constexpr schema::about about{"node_load", "What a node can take."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("branch_slots", &node_load::branch_slots,
                    "Branches it does at once."),
      schema::field("branches", &node_load::branches, "Branches in flight."),
      schema::field("sandboxes", &node_load::sandboxes, "Running sandboxes."),
      schema::field("snapshots", &node_load::snapshots, "Sealed snapshots."),
      schema::field("disk_free_bytes", &node_load::disk_free_bytes,
                    "Free space where snapshots lie."),
      schema::field("memory_free_bytes", &node_load::memory_free_bytes,
                    "Memory that the host could still give."),
      schema::field("memory_used_bytes", &node_load::memory_used_bytes,
                    "Memory that its VMs take, shared pages by their share."),
      schema::field("memory_promised_bytes", &node_load::memory_promised_bytes,
                    "Memory that they may come to take beyond that."),
      schema::field("descriptors_max", &node_load::descriptors_max,
                    "File descriptors that it may have open."),
      schema::field("descriptors_open", &node_load::descriptors_open,
                    "Those that are open."),
      schema::field("descriptor_room", &node_load::descriptor_room,
                    "VMs that the rest is enough for, beside its reserve."),
    };
  }
};

/// One node of the fleet.
struct node_info {
  host_name host = {};
  node_state state = node_state::expected;
  std::string identity = {};
  uint64_t incarnation = 0;
  std::string version = {};
  std::string data = {};
  std::string file_system = {};
  std::string accelerator = {};
  std::string limits = {};
  std::string network = {};
  std::string confinement = {};
  node_load load = {};
  milliseconds silence{0};

  friend bool operator==(const node_info&, const node_info&) = default;
  static constexpr schema::about about{"node_info", "One node of the fleet."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("host", &node_info::host, "Its host."),
      schema::field("state", &node_info::state, "Where it stands."),
      schema::field("identity", &node_info::identity, "Of its data directory."),
      schema::field("incarnation", &node_info::incarnation,
                    "Grows with each start of the node."),
      schema::field("version", &node_info::version, "Its program's version."),
      schema::field("data", &node_info::data, "Its data directory."),
      schema::field("file_system", &node_info::file_system,
                    "Where its snapshots lie."),
      schema::field("accelerator", &node_info::accelerator, "kvm or tcg."),
      schema::field("limits", &node_info::limits,
                    "Which limits of VMs it can enforce, or why none."),
      schema::field("network", &node_info::network,
                    "How it can connect sandboxes: namespace with the range "
                    "of their addresses, or user and why no more."),
      schema::field("confinement", &node_info::confinement,
                    "What keeps a VM's process from the host, and what "
                    "cannot, and why."),
      schema::field("load", &node_info::load, "What it can take."),
      schema::field("silence_ms", &node_info::silence,
                    "Since its last heartbeat."),
    };
  }
};

/// Asks for the nodes whose host comes after `after`.
struct nodes_request {
  host_name after = {};

  friend bool operator==(const nodes_request&, const nodes_request&) = default;
  static constexpr schema::about about{"nodes_request", "List the nodes.",
                                       schema::access::scriptable};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("after", &nodes_request::after,
                    "Only hosts whose names come after this one."),
    };
  }
};

struct node_list {
  std::vector<node_info> nodes = {};
  bool more = false;

  friend bool operator==(const node_list&, const node_list&) = default;
  static constexpr schema::about about{"node_list", "A page of nodes."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("nodes", &node_list::nodes, "In order of their hosts."),
      schema::field("more", &node_list::more,
                    "Whether there are more after the last."),
    };
  }
};

/// Asks for the sandboxes whose id comes after `after`.
struct sandboxes_request {
  sandbox_id after = {};

  friend bool operator==(const sandboxes_request&,
                         const sandboxes_request&) = default;
  static constexpr schema::about about{
    "sandboxes_request", "List the sandboxes.", schema::access::scriptable};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("after", &sandboxes_request::after,
                    "Only ids that come after this one."),
    };
  }
};

struct sandbox_list {
  std::vector<sandbox_info> sandboxes = {};
  bool more = false;

  friend bool operator==(const sandbox_list&, const sandbox_list&) = default;
  static constexpr schema::about about{"sandbox_list", "A page of sandboxes."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("sandboxes", &sandbox_list::sandboxes,
                    "In order of their ids."),
      schema::field("more", &sandbox_list::more,
                    "Whether there are more after the last."),
    };
  }
};

/// Asks for the snapshots whose tag comes after `after`.
struct snapshots_request {
  snapshot_tag after = {};

  friend bool operator==(const snapshots_request&,
                         const snapshots_request&) = default;
  static constexpr schema::about about{
    "snapshots_request", "List the snapshots.", schema::access::scriptable};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("after", &snapshots_request::after,
                    "Only tags that come after this one."),
    };
  }
};

struct snapshot_list {
  std::vector<snapshot_info> snapshots = {};
  bool more = false;

  friend bool operator==(const snapshot_list&, const snapshot_list&) = default;
  static constexpr schema::about about{"snapshot_list", "A page of snapshots."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("snapshots", &snapshot_list::snapshots,
                    "In order of their tags."),
      schema::field("more", &snapshot_list::more,
                    "Whether there are more after the last."),
    };
  }
};

/// Something that happened. `kind` is noun, dot, past participle.
struct fleet_event {
  uint64_t sequence = 0;
  microseconds at{0};
  std::string kind = {};
  host_name host = {};
  sandbox_id sandbox = {};
  snapshot_tag tag = {};
  operation_id operation = {};
  std::string stage = {};
  microseconds elapsed{0};
  std::string detail = {};
  std::string subject = {};

  friend bool operator==(const fleet_event&, const fleet_event&) = default;
  static constexpr schema::about about{"fleet_event",
                                       "Something that happened."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("sequence", &fleet_event::sequence,
                    "Given by the coordinator, without gaps."),
      schema::field("at_us", &fleet_event::at, "When, in Unix time."),
      schema::field("kind", &fleet_event::kind,
                    "Such as branch.started, stage.ended, branch.ended, "
                    "sandbox.changed, snapshot.sealed, node.joined."),
      schema::field("host", &fleet_event::host, "Where."),
      schema::field("sandbox", &fleet_event::sandbox, "Of which sandbox."),
      schema::field("tag", &fleet_event::tag, "Of which snapshot."),
      schema::field("operation", &fleet_event::operation,
                    "By which operation."),
      schema::field("stage", &fleet_event::stage,
                    "Which stage, for stage events."),
      schema::field("elapsed_us", &fleet_event::elapsed,
                    "How long it took; of snapshot.sealed: how long the guest "
                    "stood still."),
      schema::field("detail", &fleet_event::detail,
                    "The outcome, or what else there is to say."),
      schema::field("subject", &fleet_event::subject,
                    "Who asked for it, of what somebody asked for."),
    };
  }
};

/// Asks for events after `after`. The answer waits up to `wait` when there
/// are none, so that a follower asks again without polling.
struct events_request {
  uint64_t after = 0;
  milliseconds wait{0};
  bool from_now = false;

  friend bool operator==(const events_request&,
                         const events_request&) = default;
  static constexpr schema::about about{
    "events_request", "What has happened since?", schema::access::scriptable};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("after", &events_request::after,
                    "The sequence of the last event seen; 0 for all kept."),
      schema::field("wait_ms", &events_request::wait,
                    "How long to wait when there are none; at most 30000."),
      schema::field("from_now", &events_request::from_now,
                    "Ignore `after`: only tell the latest sequence."),
    };
  }
};

struct event_list {
  std::vector<fleet_event> events = {};
  uint64_t latest = 0;
  uint64_t lost = 0;

  friend bool operator==(const event_list&, const event_list&) = default;
  static constexpr schema::about about{"event_list", "A run of events."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("events", &event_list::events, "In order."),
      schema::field("latest", &event_list::latest,
                    "The sequence to ask after next."),
      schema::field("lost", &event_list::lost,
                    "Events that were gone before they could be sent."),
    };
  }
};

} // namespace forkfleet
