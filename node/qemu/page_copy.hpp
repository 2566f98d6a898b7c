// SPDX-License-Identifier: Apache-2.0
// Copies chosen pages of a guest out of QEMU's process, many small ones in
// one call.
#pragma once

#include <cstdint>
#include <functional>

#include "node/qemu/guest_memory.hpp"
#include "node/qemu/page_buffer.hpp"
#include "node/qemu/page_set.hpp"

namespace forkfleet::qemu {

/// What a copy to a sink takes at once, and `goes_on` is asked before.
inline constexpr uint64_t copy_stage_bytes = 1ull << 20;

/// Copies them into the buffer. Also right in the pause: allocates nothing,
/// and touches no storage. io_failed when they cannot be read.
status copy_pages(const guest_memory& memory, const page_set& pages,
                  page_buffer& buffer);

/// Copies them into the sink, and forgets older copies in the buffer.
/// `tells_zeros`: also pages of zeros are told. `goes_on` is asked now and
/// then; its error ends the copy.
status copy_pages(const guest_memory& memory, const page_set& pages,
                  page_buffer& buffer, memory_sink& sink, bool tells_zeros,
                  const std::function<status()>& goes_on);

} // namespace forkfleet::qemu
