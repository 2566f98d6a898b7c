// SPDX-License-Identifier: Apache-2.0
// Pure: whether a node has the file descriptors for one VM more. What it keeps
// is for the journal, for branches, and for looks at what runs: without them
// it could not even tell a VM that lives from one that has ended.
#pragma once

#include "actors/descriptors.hpp"
#include "actors/error.hpp"

namespace forkfleet {

/// What a node has open for a VM that runs, at most: its VMM's socket, its
/// keeper's, the tracker of its memory, the guest agent's port, and what is
/// open only while it starts.
inline constexpr uint64_t descriptors_per_vm = 6;

/// What is never given to a VM.
uint64_t descriptor_reserve(uint64_t max);

/// VMs that there is room for beside `starting`, which have not opened theirs
/// yet; 0 when nothing is known.
uint64_t descriptor_room(const descriptor_sample& now, uint64_t starting);

/// Whether a VM is started. host_full has the numbers, and the one that is
/// missing.
status admit_descriptors(const descriptor_sample& now, uint64_t starting);

} // namespace forkfleet
