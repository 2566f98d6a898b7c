// SPDX-License-Identifier: Apache-2.0
// What `bench chain` measures: one record a BRANCH, as it stands in the CSV
// and in the JSON. Struct only; knows no CAF.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "actors/schema/fields.hpp"

namespace forkfleet::bench {

using std::chrono::microseconds;

/// The write paths that are compared.
enum class chain_arm : uint8_t {
  before,
  fallocate_kept,
  seed_as_coded,
  ours_full,
  ours_reflink,
  ours_diff,
  tmpfs_control,
};

constexpr auto enum_table(chain_arm) {
  using enum chain_arm;
  return std::to_array<schema::enum_entry<chain_arm>>({
    {before, "before", "copy the base to a fresh file; fsync in the pause"},
    {fallocate_kept, "fallocate-kept",
     "fallocate first, and copy into what was allocated"},
    {seed_as_coded, "seed-as-coded",
     "fallocate first, then a copy that truncates"},
    {ours_full, "ours-full", "forkfleet, all pages"},
    {ours_reflink, "ours-reflink",
     "forkfleet, all pages, the base's extents shared"},
    {ours_diff, "ours-diff", "forkfleet, what changed"},
    {tmpfs_control, "tmpfs-control", "`before`, all of it on tmpfs"},
  });
}

inline std::string to_string(chain_arm x) {
  return std::string{schema::name_of(x)};
}

/// Which part of a run a chain belongs to: the interleaved rounds of all
/// arms, or the long chains of a few.
enum class chain_part : uint8_t { rounds, long_chain };

constexpr auto enum_table(chain_part) {
  using enum chain_part;
  return std::to_array<schema::enum_entry<chain_part>>({
    {rounds, "rounds"},
    {long_chain, "long"},
  });
}

/// One BRANCH of one chain.
struct chain_sample {
  chain_part part = chain_part::rounds;
  chain_arm arm = chain_arm::before;
  uint64_t diff_mib = 0;
  uint64_t round = 0;
  uint64_t branch = 0; // from 1
  microseconds pause{0};
  microseconds sync{0};
  microseconds copy{0};
  microseconds total{0};
  microseconds durable{0};
  microseconds null_pause{0};
  uint64_t written_bytes = 0;
  uint64_t stored_bytes = 0;
  uint64_t dirty_bytes = 0;
  uint64_t writeback_bytes = 0;
  std::string method = {};

  friend bool operator==(const chain_sample&, const chain_sample&) = default;
  static constexpr schema::about about{"chain_sample",
                                       "One BRANCH of one chain."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("part", &chain_sample::part, "Rounds of all, or a long chain."),
      field("arm", &chain_sample::arm, "Which write path."),
      field("diff_mib", &chain_sample::diff_mib,
            "What the guest dirtied since the last BRANCH."),
      field("round", &chain_sample::round, "From 0; arms are rotated."),
      field("branch", &chain_sample::branch, "Its place in the chain."),
      field("pause_us", &chain_sample::pause, "How long the guest stood."),
      field("sync_us", &chain_sample::sync, "Of that, in fsync."),
      field("copy_us", &chain_sample::copy,
            "The copy of the base, beside all else."),
      field("total_us", &chain_sample::total, "Until the call returned."),
      field("durable_us", &chain_sample::durable,
            "Until all of it was on the disk; 0: never made sure of."),
      field("null_pause_us", &chain_sample::null_pause,
            "A pause in which nothing is done, just before."),
      field("written_bytes", &chain_sample::written_bytes,
            "What was written to the snapshot's files."),
      field("stored_bytes", &chain_sample::stored_bytes,
            "What its files take on the disk; 0 for the seed's paths."),
      field("dirty_bytes", &chain_sample::dirty_bytes,
            "Unwritten page cache when it began."),
      field("writeback_bytes", &chain_sample::writeback_bytes,
            "Page cache on its way to a disk when it began."),
      field("method", &chain_sample::method, "How the driver captured it."),
    };
  }
};

using chain_samples = std::vector<chain_sample>;

} // namespace forkfleet::bench
