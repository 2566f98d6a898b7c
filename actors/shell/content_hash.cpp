// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/content_hash.hpp"

#include <array>

#include <fmt/format.h>
#include <openssl/evp.h>

namespace forkfleet::shell {

void content_hash::release::operator()(evp_md_ctx_st* x) const {
  EVP_MD_CTX_free(x);
}

content_hash::content_hash() : context_{EVP_MD_CTX_new()} {
  is_good_ =
    context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1;
}

void content_hash::add(std::string_view bytes) {
  is_good_ =
    is_good_
    && EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1;
}

std::string content_hash::finish() {
  auto digest = std::array<unsigned char, EVP_MAX_MD_SIZE>{};
  auto size = 0U;
  if (!is_good_
      || EVP_DigestFinal_ex(context_.get(), digest.data(), &size) != 1)
    return {};
  auto text = std::string{};
  for (auto i = 0U; i < size; ++i)
    text += fmt::format("{:02x}", digest[i]);
  return text;
}

} // namespace forkfleet::shell
