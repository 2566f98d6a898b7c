// SPDX-License-Identifier: Apache-2.0
// Pieces of the file that holds a sandbox' console output. Knows no CAF.
#pragma once

#include <string>
#include <string_view>

#include "actors/exec_protocol.hpp"

namespace forkfleet {

/// Pure: where the last `lines` lines of `text` begin; a line that is not
/// complete yet counts.
std::size_t tail_begin(std::string_view text, uint64_t lines);

/// Reads the piece that is asked for. io_failed names the file.
expected<console_report> read_console(const std::string& path,
                                      const console_request& request);

} // namespace forkfleet
