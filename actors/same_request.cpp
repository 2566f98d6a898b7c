// SPDX-License-Identifier: Apache-2.0
#include "actors/same_request.hpp"

#include <openssl/evp.h>

namespace forkfleet {

namespace {

constexpr std::size_t digest_bytes_kept = 16;

} // namespace

std::string short_digest(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  unsigned char bytes[EVP_MAX_MD_SIZE] = {};
  auto size = 0u;
  if (EVP_Digest(text.data(), text.size(), bytes, &size, EVP_sha256(), nullptr)
      != 1)
    return {};
  auto result = std::string{};
  for (std::size_t i = 0; i < digest_bytes_kept && i < size; ++i) {
    result += digits[bytes[i] >> 4];
    result += digits[bytes[i] & 0x0F];
  }
  return result;
}

} // namespace forkfleet
