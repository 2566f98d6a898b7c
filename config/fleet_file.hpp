// SPDX-License-Identifier: Apache-2.0
// The fleet file, as structs: one file for one machine or many. Every
// default, unit and limit of the system stands here. Knows no CAF.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "actors/branch_protocol.hpp"
#include "actors/schema/fields.hpp"
#include "actors/schema/shape.hpp"
#include "config/access_section.hpp"
#include "config/limits_section.hpp"
#include "config/sandbox_section.hpp"

namespace forkfleet::config {

using std::chrono::milliseconds;

/// A TCP endpoint; in YAML as HOST:PORT, [ADDRESS]:PORT for IPv6, or empty
/// for none.
struct endpoint {
  std::string host = {};
  uint16_t port = 0;

  bool empty() const { return host.empty(); }

  /// True for localhost, 127.0.0.0/8 and ::1.
  bool is_loopback() const;
  std::string to_string() const;
  friend bool operator==(const endpoint&, const endpoint&) = default;
};

schema::notation_about notation_of(const endpoint&);
std::string to_text(const endpoint& x);
schema::fault from_text(std::string_view text, endpoint& x);

/// Mutual TLS between programs. Needed as soon as one address is not
/// loopback.
struct tls_files {
  std::string authority = {};
  std::string certificate = {};
  std::string key = {};

  bool empty() const { return authority.empty(); }
  friend bool operator==(const tls_files&, const tls_files&) = default;
  static constexpr schema::about about{
    "tls", "Certificates of one program; see forkfleet pki."};
  static constexpr auto fields() {
    using schema::field;
    using enum schema::need;
    return std::tuple{
      field("authority", &tls_files::authority,
            "The certificate authority's certificate, a PEM file.", required),
      field("certificate", &tls_files::certificate,
            "This program's certificate, a PEM file. ${ROLE} and ${NAME} are "
            "not replaced: give each host its own.",
            required),
      field("key", &tls_files::key,
            "Its private key, a PEM file that only its owner can read.",
            required),
    };
  }
};

struct coordinator_section {
  endpoint listen = {};
  std::string data = {};
  tls_files tls = {};
  milliseconds heartbeat{1000};
  milliseconds node_timeout{5000};
  uint64_t events_kept = 10000;
  uint64_t operations_kept = 10000;

  friend bool operator==(const coordinator_section&,
                         const coordinator_section&) = default;
  static constexpr schema::about about{"coordinator",
                                       "The program that routes."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("listen", &coordinator_section::listen,
            "Where nodes and clients of other machines reach it, with "
            "certificates; a loopback address without them takes clients "
            "with a token. Default: nowhere. Programs of this machine and "
            "this user reach it by a socket in its directory."),
      field("data", &coordinator_section::data,
            "Its directory; default: <state>/coordinator."),
      field("tls", &coordinator_section::tls,
            "Its certificates; needed unless listen is empty or loopback."),
      field("heartbeat", &coordinator_section::heartbeat,
            "How often nodes show a sign of life; 100ms to 60s."),
      field("node_timeout", &coordinator_section::node_timeout,
            "Silence after which a node is down; at least 3 heartbeats."),
      field("events_kept", &coordinator_section::events_kept,
            "Events kept for followers; 100 to 1000000."),
      field("operations_kept", &coordinator_section::operations_kept,
            "Ended operations remembered; 100 to 1000000."),
    };
  }
};

/// How branches are taken unless the request says otherwise.
struct branch_section {
  branch_mode mode = branch_mode::automatic;
  reserve_policy reserve = reserve_policy::best_effort;
  milliseconds deadline{60000};
  milliseconds pause_max{5000};
  milliseconds max_pause{0};
  uint64_t chain_depth = 16;
  byte_size unwritten_max{0};

  friend bool operator==(const branch_section&,
                         const branch_section&) = default;
  static constexpr schema::about about{
    "branch", "How branches are taken unless the request says otherwise."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("mode", &branch_section::mode, "auto, full, diff or live."),
      field("reserve", &branch_section::reserve,
            "off, best-effort or required."),
      field("deadline", &branch_section::deadline,
            "For the whole branch; 1s to 1h."),
      field("pause_max", &branch_section::pause_max,
            "A guest that stands still for longer is resumed and the branch "
            "fails; 100ms to 60s."),
      field("max_pause", &branch_section::max_pause,
            "The pause that is wished for: a branch that would need a longer "
            "one is refused before the guest is paused. 1ms to 60s, at most "
            "pause_max; 0s allows any."),
      field("chain_depth", &branch_section::chain_depth,
            "As many diffs may lie over a flat image; a snapshot that is "
            "deeper is flattened in the background. 1 to 256."),
      field("unwritten_max", &branch_section::unwritten_max,
            "As much of snapshots may not be on the disk yet when a guest is "
            "paused; the branch waits before its pause. 0B is twice the "
            "guest's memory; at most 1TiB."),
    };
  }
};

/// Which snapshots with a label are kept without being needed. One that any
/// of its rules keeps is kept.
struct retention_rule {
  std::string label = {};
  uint64_t keep_last = 0;
  milliseconds ttl{0};

  friend bool operator==(const retention_rule&,
                         const retention_rule&) = default;
  static constexpr schema::about about{
    "retention_rule", "Which snapshots with a label are kept, and for how "
                      "long. All others are removed."};
  static constexpr auto fields() {
    using schema::field;
    using enum schema::need;
    return std::tuple{
      field("label", &retention_rule::label, "KEY=VALUE.", required),
      field("keep_last", &retention_rule::keep_last,
            "So many of each sandbox, the newest, are kept; 0 to 10000."),
      field("ttl", &retention_rule::ttl,
            "What is younger is kept; 1s to 3660d, 0s keeps none for its age. "
            "At least one of the two is needed."),
    };
  }
};

/// What becomes of snapshots that nothing needs.
struct retention_section {
  milliseconds sweep{60000};
  uint64_t removals_max = 16;
  std::string pinned = "pinned=yes";
  std::vector<retention_rule> rules = {};

  friend bool operator==(const retention_section&,
                         const retention_section&) = default;
  static constexpr schema::about about{
    "retention", "Which snapshots are removed by themselves."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("sweep", &retention_section::sweep,
            "How often each node looks; 1s to 24h."),
      field("removals_max", &retention_section::removals_max,
            "As many are removed in one sweep; 1 to 1000."),
      field("pinned", &retention_section::pinned,
            "KEY=VALUE: what has this label is never removed by itself."),
      field("rules", &retention_section::rules,
            "At most 64. What no rule's label fits is never removed by "
            "itself."),
    };
  }
};

struct host_section {
  host_name name = {};
  std::string address = {};
  std::string data = {};
  uint64_t branch_slots = 2;
  uint64_t branch_queue = 64;
  std::string archives = {};
  std::vector<std::string> images = {};
  std::string cgroup = {};
  std::string network_range = {};
  std::string vm_uids = "4000000000-4000999999";
  tls_files tls = {};

  friend bool operator==(const host_section&, const host_section&) = default;
  static constexpr schema::about about{"host",
                                       "One machine that runs sandboxes."};
  static constexpr auto fields() {
    using schema::field;
    using enum schema::need;
    return std::tuple{
      field("name", &host_section::name, "Unique in the fleet.", required),
      field("address", &host_section::address,
            "The machine's address. Empty or loopback: this machine, and up "
            "starts its node."),
      field("data", &host_section::data,
            "Where its snapshots lie; default: <state>/<name>."),
      field("branch_slots", &host_section::branch_slots,
            "Branches at once; 1 to 64."),
      field("branch_queue", &host_section::branch_queue,
            "Branches that may wait for their turn; 0 to 1024."),
      field("archives", &host_section::archives,
            "Where exported snapshots go and imported ones come from; "
            "default: <data>/archives."),
      field("images", &host_section::images,
            "Kernels, initial RAM disks and disks that children of imported "
            "snapshots may use, beside those of this host's sandboxes; they "
            "are told by their content. At most 256."),
      field("cgroup", &host_section::cgroup,
            "A cgroup v2 directory that is the node's own, with no processes "
            "in it; default: the one that the node runs in."),
      field("network_range", &host_section::network_range,
            "CIDR of /8 to /30: where its sandboxes get their addresses from, "
            "two for each; not known beyond this host. Default: a /20 of "
            "10.213.0.0/16 by its place in this list."),
      field("vm_uids", &host_section::vm_uids,
            "FIRST-LAST: where the node runs as root, each of its VMs gets a "
            "user and group of its own out of these; none: VMs run as the "
            "node's user. Default: 4000000000-4000999999."),
      field("tls", &host_section::tls,
            "Its certificates; needed unless the coordinator is loopback."),
    };
  }
};

struct fleet_file {
  uint64_t version = 1;
  std::string name = "fleet";
  std::string state = {};
  std::string signing_key = {};
  coordinator_section coordinator = {};
  tls_files client_tls = {};
  branch_section branch = {};
  retention_section retention = {};
  limits_section limits = {};
  access_section access = {};
  std::vector<host_section> hosts = {};
  std::vector<sandbox_section> sandboxes = {};

  friend bool operator==(const fleet_file&, const fleet_file&) = default;
  static constexpr schema::about about{
    "fleet", "A fleet: one coordinator, its hosts and their sandboxes."};
  static constexpr auto fields() {
    using schema::field;
    using enum schema::need;
    return std::tuple{
      field("version", &fleet_file::version, "Of this format; 1.", required),
      field("name", &fleet_file::name, "The fleet's name."),
      field("state", &fleet_file::state,
            "Where programs of this machine keep their data unless told "
            "otherwise; relative paths start at the fleet file's directory. "
            "Default: /var/lib/forkfleet/<name> for root, else "
            "$XDG_STATE_HOME/forkfleet/<name>."),
      field("signing_key", &fleet_file::signing_key,
            "The fleet's key that vouches for snapshots and archives. Default: "
            "signing.key beside the host's TLS key, else in state, where it is "
            "made."),
      field("coordinator", &fleet_file::coordinator,
            "The program that routes."),
      field("client_tls", &fleet_file::client_tls,
            "Certificates of the forkfleet tool."),
      field("branch", &fleet_file::branch, "How branches are taken."),
      field("retention", &fleet_file::retention,
            "Which snapshots are removed by themselves."),
      field("limits", &fleet_file::limits,
            "What VMs may take, and how far a lineage may grow."),
      field("access", &fleet_file::access,
            "Who is turned away, and what is written of the others."),
      field("hosts", &fleet_file::hosts, "At least one.", required),
      field("sandboxes", &fleet_file::sandboxes,
            "VMs that are started, or attached to, when their node starts."),
    };
  }
};

/// Whether the programs of the fleet prove themselves by certificates. Else
/// they are of one machine, and meet at `local_door`.
inline bool has_certificates(const fleet_file& fleet) {
  return !fleet.coordinator.tls.empty();
}

/// The socket by which the coordinator's own user and root reach it; only
/// of a fleet without certificates.
inline std::string local_door(const fleet_file& fleet) {
  return fleet.coordinator.data + "/door";
}

/// The directory of the tokens that the coordinator takes at a loopback port.
inline std::string token_directory(const fleet_file& fleet) {
  return fleet.coordinator.data + "/tokens";
}

/// The token that the coordinator makes for its own user, an admin's.
inline constexpr std::string_view owner_token = "owner";

/// The audit log; see coordinator/audit_log.hpp for the older files.
inline std::string audit_path(const fleet_file& fleet) {
  return fleet.coordinator.data + "/audit.jsonl";
}

} // namespace forkfleet::config
