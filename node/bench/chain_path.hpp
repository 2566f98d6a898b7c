// SPDX-License-Identifier: Apache-2.0
// The seam between `bench chain` and the write paths that it compares: each
// takes BRANCHes of the same simulated guest into a directory. Knows no CAF.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "node/bench/chain_sample.hpp"
#include "node/simulated/machine.hpp"

namespace forkfleet::bench {

/// One write path with the chain that it made.
class chain_path {
public:
  virtual ~chain_path() = default;

  /// Makes the base: all of the guest's memory, on the disk. The guest runs
  /// on and has dirtied nothing.
  virtual status begin() = 0;

  /// Takes BRANCH `number`, from 1 on. Fills the times and what was written.
  virtual expected<chain_sample> branch(uint64_t number) = 0;

  /// Whether the last snapshot is the memory of the guest, which stands
  /// still: snapshot_corrupt names the first difference.
  virtual status verify() = 0;
};

using chain_path_ptr = std::unique_ptr<chain_path>;

/// The guest of one chain, and where the chain goes.
struct chain_place {
  simulated_machine_ptr guest = {};
  std::string directory = {}; // exists and is empty
  /// Older snapshots are removed, so that a long chain fits.
  uint64_t images_kept = 12;
};

/// The seed's write path; `arm` is one of its four.
expected<chain_path_ptr> make_seed_path(chain_arm arm, chain_place place);

/// forkfleet's own; `arm` is one of ours.
expected<chain_path_ptr> make_our_path(chain_arm arm, chain_place place);

/// What the steps of the simulated VM take in every path, like those of a
/// QEMU on a quiet host: stop, device state, resume.
inline constexpr std::chrono::microseconds stop_cost{150};
inline constexpr std::chrono::microseconds device_state_cost{400};
inline constexpr std::chrono::microseconds resume_cost{100};

/// Compares memory with what `read` gives of a snapshot, part by part.
status
compare_memory(simulated_machine& guest,
               const std::function<status(uint64_t, std::span<uint8_t>)>& read);

} // namespace forkfleet::bench
