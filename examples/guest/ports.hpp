// SPDX-License-Identifier: Apache-2.0
// The two devices that the example guest uses by their ports: the debug
// console at 0xe9 and the CMOS clock at 0x70 and 0x71.
#pragma once

#include <cstdint>
#include <span>

namespace forkfleet::guest {

/// Asks the kernel for the ports. False if it refuses; the other functions
/// must not be called then.
bool open_ports();

/// Writes the bytes to the debug console. Where QEMU has none, they are lost.
void write_debug_console(std::span<const uint8_t> bytes);

/// The seconds register of the CMOS clock as it is: cheap, and enough to see
/// an edge.
uint8_t read_clock_seconds_register();

/// The CMOS clock in seconds since 1970; -1 if the machine has no such clock.
int64_t read_clock();

} // namespace forkfleet::guest
