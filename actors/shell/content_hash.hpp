// SPDX-License-Identifier: Apache-2.0
// SHA-256 of what passes by.
#pragma once

#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace forkfleet::shell {

class content_hash {
public:
  content_hash();

  void add(std::string_view bytes);

  /// Of all that was added, as 64 hexadecimal digits; empty when OpenSSL
  /// fails. Once.
  std::string finish();

private:
  struct release {
    void operator()(evp_md_ctx_st* x) const;
  };
  std::unique_ptr<evp_md_ctx_st, release> context_;
  bool is_good_ = false;
};

} // namespace forkfleet::shell
