// SPDX-License-Identifier: Apache-2.0
// Device state as `xen-save-devices-state` writes it, made into a stream that
// `-incoming` loads.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "actors/error.hpp"

namespace forkfleet::qemu {

/// The most device state that is taken.
inline constexpr uint64_t state_bytes_max = 1ull << 30;

/// The stream: the configuration section with the machine's name after the
/// header, and an empty description of the format at the end. vmm_refused
/// when `saved` does not look like a saved state.
expected<std::vector<uint8_t>>
loadable_device_state(std::span<const uint8_t> saved,
                      std::string_view machine_type);

} // namespace forkfleet::qemu
