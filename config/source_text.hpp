// SPDX-License-Identifier: Apache-2.0
// A file's text before anybody parses it: read within limits, and checked to
// be text at all. Knows no CAF.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "actors/schema/shape.hpp"

namespace forkfleet::config {

/// The most bytes that a fleet file may have.
inline constexpr std::size_t file_bytes_max = 1024 * 1024;

/// The whole file. Only regular files of at most `file_bytes_max` bytes.
tl::expected<std::string, schema::fault> read_text(const std::string& path);

/// The offset of the first byte that is not part of well-formed UTF-8.
std::optional<std::size_t> find_bad_utf8(std::string_view text);

/// The offset of the first control character but tab and line ends.
std::optional<std::size_t> find_control(std::string_view text);

/// True for UTF-8 without any control character, tabs and line ends included.
bool is_plain_text(std::string_view text);

} // namespace forkfleet::config
