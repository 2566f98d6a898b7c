// SPDX-License-Identifier: Apache-2.0
// How a node joins with all that it holds, shows that it lives, tells what
// happens, and leaves. Structs only; knows no CAF.
#pragma once

#include "actors/fleet_protocol.hpp"

namespace forkfleet {

/// Grows when a message changes its fields: CAF carries no names, so peers
/// of different numbers must not talk.
inline constexpr uint32_t protocol_number = 2;

/// A node's first message. Its handle comes beside it.
struct node_hello {
  uint32_t protocol = protocol_number;
  host_name host = {};
  std::string identity = {};
  uint64_t incarnation = 0;
  uint64_t life = 0;
  uint64_t epoch_seen = 0;
  std::string version = {};
  std::string data = {};
  std::string file_system = {};
  std::string accelerator = {};
  std::string limits = {};
  std::string network = {};
  std::string confinement = {};
  node_load load = {};

  friend bool operator==(const node_hello&, const node_hello&) = default;
  static constexpr schema::about about{"node_hello", "A node joins."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("protocol", &node_hello::protocol, "Must be the same."),
      schema::field("host", &node_hello::host, "As the fleet file names it."),
      schema::field("identity", &node_hello::identity,
                    "Of its data directory: random, made once, kept there."),
      schema::field("incarnation", &node_hello::incarnation,
                    "Grows with each start of the node."),
      schema::field("life", &node_hello::life,
                    "Random, of this one start: a copied data directory has "
                    "the same identity and incarnation."),
      schema::field("epoch_seen", &node_hello::epoch_seen,
                    "The highest coordinator epoch that it obeyed."),
      schema::field("version", &node_hello::version, "Its program's version."),
      schema::field("data", &node_hello::data, "Its data directory."),
      schema::field("file_system", &node_hello::file_system,
                    "Where its snapshots lie."),
      schema::field("accelerator", &node_hello::accelerator, "kvm or tcg."),
      schema::field("limits", &node_hello::limits,
                    "Which limits of VMs it can enforce, or why none."),
      schema::field("network", &node_hello::network,
                    "How it can connect sandboxes: namespace with the range "
                    "of their addresses, or user and why no more."),
      schema::field("confinement", &node_hello::confinement,
                    "What keeps a VM's process from the host, and what "
                    "cannot, and why."),
      schema::field("load", &node_hello::load, "What it can take."),
    };
  }
};

struct node_welcome {
  uint64_t epoch = 0;
  milliseconds heartbeat{0};

  friend bool operator==(const node_welcome&, const node_welcome&) = default;
  static constexpr schema::about about{"node_welcome", "The node is in."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("epoch", &node_welcome::epoch,
                    "Every command carries it from now on."),
      schema::field("heartbeat_ms", &node_welcome::heartbeat,
                    "How often to show a sign of life."),
    };
  }
};

/// Part of what a node holds. After a hello all of it, page by page, the
/// last one marked; later only what changed.
struct inventory_page {
  host_name host = {};
  uint64_t incarnation = 0;
  uint64_t life = 0;
  bool whole = false;
  bool last = false;
  std::vector<sandbox_info> sandboxes = {};
  std::vector<snapshot_info> snapshots = {};
  std::vector<operation_status> operations = {};
  std::vector<sandbox_id> removed_sandboxes = {};
  std::vector<snapshot_tag> removed_snapshots = {};

  friend bool operator==(const inventory_page&,
                         const inventory_page&) = default;
  static constexpr schema::about about{"inventory_page",
                                       "Part of what a node holds."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("host", &inventory_page::host, "Whose."),
      schema::field("incarnation", &inventory_page::incarnation, "Which."),
      schema::field("life", &inventory_page::life, "Of this start."),
      schema::field("whole", &inventory_page::whole,
                    "Part of a full inventory: what it lacks is not there."),
      schema::field("last", &inventory_page::last,
                    "The full inventory ends here."),
      schema::field("sandboxes", &inventory_page::sandboxes, "New or changed."),
      schema::field("snapshots", &inventory_page::snapshots, "New or changed."),
      schema::field("operations", &inventory_page::operations,
                    "Branches in flight and those that ended lately."),
      schema::field("removed_sandboxes", &inventory_page::removed_sandboxes,
                    "No longer there."),
      schema::field("removed_snapshots", &inventory_page::removed_snapshots,
                    "No longer there."),
    };
  }
};

struct node_heartbeat {
  host_name host = {};
  uint64_t incarnation = 0;
  uint64_t life = 0;
  uint64_t sequence = 0;
  node_load load = {};

  friend bool operator==(const node_heartbeat&,
                         const node_heartbeat&) = default;
  static constexpr schema::about about{"node_heartbeat", "A sign of life."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("host", &node_heartbeat::host, "Whose."),
      schema::field("incarnation", &node_heartbeat::incarnation, "Which."),
      schema::field("life", &node_heartbeat::life, "Of this start."),
      schema::field("sequence", &node_heartbeat::sequence, "Counts up."),
      schema::field("load", &node_heartbeat::load, "What it can take."),
    };
  }
};

struct heartbeat_ack {
  uint64_t epoch = 0;
  bool known = false;

  friend bool operator==(const heartbeat_ack&, const heartbeat_ack&) = default;
  static constexpr schema::about about{"heartbeat_ack", "Heard."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("epoch", &heartbeat_ack::epoch, "The epoch in force."),
      schema::field("known", &heartbeat_ack::known, "false: say hello again."),
    };
  }
};

/// What happened on a node; the coordinator numbers and keeps it.
struct node_events {
  host_name host = {};
  uint64_t incarnation = 0;
  uint64_t life = 0;
  std::vector<fleet_event> events = {};

  friend bool operator==(const node_events&, const node_events&) = default;
  static constexpr schema::about about{"node_events",
                                       "What happened on a node."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("host", &node_events::host, "Whose."),
      schema::field("incarnation", &node_events::incarnation, "Which."),
      schema::field("life", &node_events::life, "Of this start."),
      schema::field("events", &node_events::events, "In order."),
    };
  }
};

/// A node leaves on purpose.
struct node_goodbye {
  host_name host = {};
  uint64_t incarnation = 0;
  uint64_t life = 0;

  friend bool operator==(const node_goodbye&, const node_goodbye&) = default;
  static constexpr schema::about about{"node_goodbye",
                                       "A node leaves on purpose."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("host", &node_goodbye::host, "Whose."),
      schema::field("incarnation", &node_goodbye::incarnation, "Which."),
      schema::field("life", &node_goodbye::life, "Of this start."),
    };
  }
};

} // namespace forkfleet
