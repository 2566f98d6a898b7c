// SPDX-License-Identifier: Apache-2.0
// Bytes as text: base64 with padding (RFC 4648, section 4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace forkfleet {

std::string to_base64(std::string_view bytes);

/// Nothing when the text is not base64: blanks and line ends are not, either.
std::optional<std::string> from_base64(std::string_view text);

} // namespace forkfleet
