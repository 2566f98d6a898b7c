// SPDX-License-Identifier: Apache-2.0
// fsck: what lies on a host and in whose name, and what nobody owns. Structs
// only; knows no CAF.
#pragma once

#include <cstddef>
#include <vector>

#include "actors/sandbox_protocol.hpp"

namespace forkfleet {

/// What an entry of a host's ledger is.
enum class ledger_kind : uint8_t {
  process,
  sandbox,
  snapshot,
  staging,
  operation,
  capture,
  file,
  cgroup,
  network
};

constexpr auto enum_table(ledger_kind) {
  using enum ledger_kind;
  return std::to_array<schema::enum_entry<ledger_kind>>({
    {process, "process", "a VMM, a keeper or the node"},
    {sandbox, "sandbox", "the run files and sockets of one sandbox"},
    {snapshot, "snapshot", "a sealed snapshot's directory"},
    {staging, "staging", "a snapshot in the making"},
    {operation, "operation", "a file of the journal"},
    {capture, "capture", "capture space in memory"},
    {file, "file", "any other file of the data directory"},
    {cgroup, "cgroup", "the cgroup of one sandbox"},
    {network, "network",
     "the network namespace or link of one sandbox, or the rules of all"},
  });
}

/// How an entry stands to its owner.
enum class ledger_state : uint8_t { owned, young, orphan, damaged, foreign };

constexpr auto enum_table(ledger_state) {
  using enum ledger_state;
  return std::to_array<schema::enum_entry<ledger_state>>({
    {owned, "owned", "its owner is known"},
    {young, "young", "too new to be judged"},
    {orphan, "orphan", "nobody owns it; a repair removes it"},
    {damaged, "damaged", "what owns it cannot be read; left to a person"},
    {foreign, "foreign", "nothing of ours is called so; left to a person"},
  });
}

/// Whether it is something that an operator should know of.
constexpr bool is_finding(ledger_state x) {
  return x != ledger_state::owned && x != ledger_state::young;
}

/// One thing on a host.
struct ledger_item {
  ledger_kind kind = ledger_kind::file;
  ledger_state state = ledger_state::owned;
  std::string where = {};
  std::string owner = {};
  std::string reason = {};
  std::string repair = {};
  uint64_t bytes = 0;
  microseconds since{0};

  friend bool operator==(const ledger_item&, const ledger_item&) = default;
  static constexpr schema::about about{"ledger_item", "One thing on a host."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("kind", &ledger_item::kind, "What it is."),
      field("state", &ledger_item::state, "Whether somebody owns it."),
      field("where", &ledger_item::where, "Its path, or its process id."),
      field("owner", &ledger_item::owner, "Who owns it; empty for nobody."),
      field("reason", &ledger_item::reason, "Why it is judged so."),
      field("repair", &ledger_item::repair, "What a repair did about it."),
      field("bytes", &ledger_item::bytes, "Disk or memory that it takes."),
      field("since_us", &ledger_item::since,
            "When it began or last changed, in Unix time."),
    };
  }
};

/// How many things of one kind are in one state.
struct ledger_count {
  ledger_kind kind = ledger_kind::file;
  ledger_state state = ledger_state::owned;
  uint64_t count = 0;
  uint64_t bytes = 0;

  friend bool operator==(const ledger_count&, const ledger_count&) = default;
  static constexpr schema::about about{"ledger_count",
                                       "Things of one kind and state."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("kind", &ledger_count::kind, "What they are."),
      field("state", &ledger_count::state, "How they stand to their owners."),
      field("count", &ledger_count::count, "How many."),
      field("bytes", &ledger_count::bytes, "What they take together."),
    };
  }
};

/// Asks a host what lies there, and to remove what nobody owns.
struct fsck_request {
  host_name host = {};
  bool repair = false;
  bool all = false;
  milliseconds young{30'000};
  uint64_t epoch = 0;

  friend bool operator==(const fsck_request&, const fsck_request&) = default;
  static constexpr schema::about about{
    "fsck_request",
    "Tell what of a host's processes and files nobody owns, and remove it.",
    schema::access::scriptable};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("host", &fsck_request::host, "Which host.", schema::need::required),
      field("repair", &fsck_request::repair,
            "Whether to remove what nobody owns."),
      field("all", &fsck_request::all, "Tell what is owned, too."),
      field("young_ms", &fsck_request::young,
            "What changed within this time is not judged."),
      field("epoch", &fsck_request::epoch, "The coordinator's epoch.",
            schema::need::optional, schema::access::internal),
    };
  }
};

/// The most items that one report tells; the rest is counted.
inline constexpr std::size_t ledger_items_max = 200;

/// The longest text in an item.
inline constexpr std::size_t ledger_text_max = 300;

/// What a look at a host found.
struct fsck_report {
  host_name host = {};
  failure outcome = {};
  std::vector<ledger_count> counts = {};
  std::vector<ledger_item> items = {};
  uint64_t items_left_out = 0;
  uint64_t repaired = 0;
  microseconds elapsed{0};

  friend bool operator==(const fsck_report&, const fsck_report&) = default;
  static constexpr schema::about about{"fsck_report",
                                       "What a look at a host found."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("host", &fsck_report::host, "Which host."),
      field("outcome", &fsck_report::outcome, "none: all of it was looked at."),
      field("counts", &fsck_report::counts, "Everything, by kind and state."),
      field("items", &fsck_report::items, "What was found, and what was done."),
      field("items_left_out", &fsck_report::items_left_out,
            "Items beyond the most that a report tells."),
      field("repaired", &fsck_report::repaired, "How many were removed."),
      field("elapsed_us", &fsck_report::elapsed, "How long it took."),
    };
  }
};

} // namespace forkfleet
