// SPDX-License-Identifier: Apache-2.0
#include "actors/base64.hpp"

#include <openssl/evp.h>

namespace forkfleet {

namespace {

constexpr std::size_t group_bytes = 3;
constexpr std::size_t group_letters = 4;
constexpr std::string_view letters =
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

unsigned char* writable(std::string& x) {
  return reinterpret_cast<unsigned char*>(x.data());
}

const unsigned char* readable(std::string_view x) {
  return reinterpret_cast<const unsigned char*>(x.data());
}

} // namespace

std::string to_base64(std::string_view bytes) {
  const auto groups = (bytes.size() + group_bytes - 1) / group_bytes;
  // One more for the zero that OpenSSL writes behind it.
  auto text = std::string(groups * group_letters + 1, '\0');
  EVP_EncodeBlock(writable(text), readable(bytes),
                  static_cast<int>(bytes.size()));
  text.pop_back();
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % group_letters != 0)
    return {};
  const auto last = text.find_last_not_of('=');
  const auto content = last == text.npos ? 0 : last + 1;
  const auto padding = text.size() - content;
  if (padding >= group_bytes
      || text.substr(0, content).find_first_not_of(letters) != text.npos)
    return {};
  auto bytes = std::string(text.size() / group_letters * group_bytes, '\0');
  if (EVP_DecodeBlock(writable(bytes), readable(text),
                      static_cast<int>(text.size()))
      < 0)
    return {};
  bytes.resize(bytes.size() - padding);
  return bytes;
}

} // namespace forkfleet
