// SPDX-License-Identifier: Apache-2.0
// All that one run of `bench chain` found, and questions about it. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "node/bench/chain_sample.hpp"
#include "node/bench/conditions.hpp"
#include "node/bench/statistics.hpp"

namespace forkfleet::bench {

/// How one chain ended.
struct chain_end {
  chain_part part = chain_part::rounds;
  chain_arm arm = chain_arm::before;
  uint64_t diff_mib = 0;
  uint64_t round = 0;
  bool verified = false;
  bool discarded = false;
  std::string remark = {};

  friend bool operator==(const chain_end&, const chain_end&) = default;
  static constexpr schema::about about{"chain_end", "How one chain ended."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("part", &chain_end::part, "Rounds of all, or a long chain."),
      field("arm", &chain_end::arm, "Which write path."),
      field("diff_mib", &chain_end::diff_mib, "Dirtied between BRANCHes."),
      field("round", &chain_end::round, "From 0."),
      field("verified", &chain_end::verified,
            "The last snapshot is the memory of the stopped guest."),
      field("discarded", &chain_end::discarded,
            "The machine was too busy: not in the tables."),
      field("remark", &chain_end::remark, "What went wrong, or why not."),
    };
  }
};

/// One run.
struct chain_results {
  conditions about = {};
  std::string file_system = {};
  uint64_t image_mib = 0;
  uint64_t bytes_per_second = 0; // what the device achieved
  uint64_t background_bytes = 0; // the kernel's threshold
  chain_samples samples = {};
  std::vector<chain_end> ends = {};
};

/// Which samples a question is about.
struct chain_choice {
  chain_part part = chain_part::rounds;
  chain_arm arm = chain_arm::before;
  uint64_t diff_mib = 1;
  std::optional<uint64_t> round = {};
};

/// Those of chains that were not discarded, in order.
chain_samples select(const chain_results& from, const chain_choice& choice);

/// One column of them; durable leaves out those that never were.
time_series pauses(const chain_samples& samples);
time_series totals(const chain_samples& samples);
time_series durables(const chain_samples& samples);

/// The median over the rounds of pause p50 / pause p50 of the tmpfs control of
/// the same round; nothing when there is no round with both.
std::optional<double> ratio_to_control(const chain_results& from,
                                       chain_choice choice);

/// The chains that there are, arm by arm in the order of the enum.
std::vector<chain_choice> chains_of(const chain_results& from);

/// A chain is discarded when the 90th percentile of its pauses that do
/// nothing is above this: the machine was busy.
inline constexpr microseconds null_pause_max{20'000};

} // namespace forkfleet::bench
