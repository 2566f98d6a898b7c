// SPDX-License-Identifier: Apache-2.0
// Pure: the one door for texts that a guest, a VMM or an archive wrote, into
// errors, notes, receipts and listings.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace forkfleet {

/// The most that one foreign text takes in an error or a note.
inline constexpr std::size_t bounded_text_max = 512;

/// `foreign` as UTF-8 that fits into `bytes_max` bytes and steers no
/// terminal: bytes that are no text become U+FFFD, control characters an
/// escape such as \n or \x1b. What is too long loses its middle, where its
/// size then stands, because the cause of an error stands at its end. At
/// least 64 bytes must be allowed. Applied again it changes nothing.
std::string bounded_text(std::string_view foreign,
                         std::size_t bytes_max = bounded_text_max);

} // namespace forkfleet
