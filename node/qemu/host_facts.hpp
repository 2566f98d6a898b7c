// SPDX-License-Identifier: Apache-2.0
// What the driver must know of this host: whether KVM runs stock guests, how
// fast the time stamp counter is, which files a guest was booted from.
#pragma once

#include <cstdint>
#include <string>

#include "actors/error.hpp"
#include "config/fleet_file.hpp"

namespace forkfleet::qemu {

/// Whether /dev/kvm is there and the processor has the virtualisation that
/// stock guests need. A host that is itself a guest may offer /dev/kvm without
/// it, for guests with a kernel of their own.
bool has_usable_kvm();

/// "kvm" or "tcg" for what the fleet file asks for. `override` replaces
/// `auto`; empty: $FORKFLEET_ACCEL, else what works here. unsupported when
/// kvm is asked for and cannot be had.
expected<std::string> choose_accelerator(config::accelerator wanted,
                                         const std::string& override);

/// The frequency of the host's time stamp counter in kHz, measured once; 0
/// where there is none or it is not constant.
uint64_t host_tsc_khz();

/// SHA-256 of a file in hex, remembered while the file does not change.
/// invalid_request names a file that cannot be read.
expected<std::string> file_fingerprint(const std::string& path);

/// Free memory of the host in bytes, as far as it can be had without
/// swapping; 0 when it cannot be told.
uint64_t available_memory_bytes();

/// How many mappings a process may have.
std::size_t mappings_max();

} // namespace forkfleet::qemu
