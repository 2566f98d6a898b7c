// SPDX-License-Identifier: Apache-2.0
#include "config/source_text.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

namespace forkfleet::config {

namespace {

using schema::fault;

/// What the lead byte of a character says about those that follow it.
struct utf8_lead {
  std::size_t length = 0;   // 0: no character begins so
  unsigned char low = 0x80; // the limits of the second byte
  unsigned char high = 0xBF;
};

utf8_lead lead_of(unsigned char byte) {
  if (byte < 0x80)
    return {1};
  if (byte < 0xC2 || byte > 0xF4)
    return {0};
  if (byte < 0xE0)
    return {2};
  // The narrower limits exclude overlong forms, surrogates, and what lies
  // beyond U+10FFFF.
  if (byte < 0xF0)
    return {3, static_cast<unsigned char>(byte == 0xE0 ? 0xA0 : 0x80),
            static_cast<unsigned char>(byte == 0xED ? 0x9F : 0xBF)};
  return {4, static_cast<unsigned char>(byte == 0xF0 ? 0x90 : 0x80),
          static_cast<unsigned char>(byte == 0xF4 ? 0x8F : 0xBF)};
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

} // namespace

tl::expected<std::string, fault> read_text(const std::string& path) {
  std::error_code error;
  const auto state = std::filesystem::status(path, error);
  if (error)
    return tl::unexpected{
      fault{fmt::format("cannot be read: {}", error.message())}};
  if (!std::filesystem::is_regular_file(state))
    return tl::unexpected{fault{"is not a regular file"}};
  std::ifstream file{path, std::ios::binary};
  if (!file)
    return tl::unexpected{
      fault{"cannot be read", "check that you may read it"}};
  std::string result(file_bytes_max + 1, '\0');
  file.read(result.data(), static_cast<std::streamsize>(result.size()));
  if (file.bad())
    return tl::unexpected{fault{"cannot be read to its end"}};
  result.resize(static_cast<std::size_t>(file.gcount()));
  if (result.size() > file_bytes_max)
    return tl::unexpected{
      fault{fmt::format("has more than {} bytes", file_bytes_max)}};
  return result;
}

std::optional<std::size_t> find_bad_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = lead_of(static_cast<unsigned char>(text[i]));
    if (lead.length == 0 || lead.length > text.size() - i)
      return i;
    for (std::size_t j = 1; j < lead.length; ++j) {
      const auto byte = static_cast<unsigned char>(text[i + j]);
      const auto low = j == 1 ? lead.low : 0x80;
      const auto high = j == 1 ? lead.high : 0xBF;
      if (byte < low || byte > high)
        return i;
    }
    i += lead.length;
  }
  return std::nullopt;
}

std::optional<std::size_t> find_control(std::string_view text) {
  const auto found = std::find_if(text.begin(), text.end(), [](char c) {
    return is_control(c) && c != '\t' && c != '\n' && c != '\r';
  });
  if (found == text.end())
    return std::nullopt;
  return static_cast<std::size_t>(found - text.begin());
}

bool is_plain_text(std::string_view text) {
  return !find_bad_utf8(text)
         && std::none_of(text.begin(), text.end(), is_control);
}

} // namespace forkfleet::config
