// SPDX-License-Identifier: Apache-2.0
// Pure: characters of texts that may be no text at all.
#pragma once

#include <cstddef>
#include <string_view>

namespace forkfleet {

/// One character, or one byte that begins none.
struct utf8_character {
  char32_t code = U'?';
  std::size_t length = 1;
  bool is_valid = false;
};

/// What stands at the start of `text`, which is not empty. Surrogates,
/// overlong forms and characters that are cut off are not valid.
utf8_character decode_utf8(std::string_view text);

/// Whether a terminal could act on it instead of showing it: C0, DEL and C1,
/// the line separators, and marks that reorder a line.
bool is_control(char32_t code);

} // namespace forkfleet
