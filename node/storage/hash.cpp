// SPDX-License-Identifier: Apache-2.0
#include "node/storage/hash.hpp"

#include <algorithm>
#include <memory>

#include <openssl/evp.h>

#include "node/storage/big_endian.hpp"
#include "node/storage/file.hpp"

namespace forkfleet {

namespace {

constexpr std::string_view root_prefix = "forkfleet snapshot 1\n";
constexpr std::string_view diff_root_prefix = "forkfleet diff root 1\n";

struct context_deleter {
  void operator()(EVP_MD_CTX* x) const { EVP_MD_CTX_free(x); }
};

/// SHA-256 piece by piece. OpenSSL fails here only without memory.
class hasher {
public:
  hasher() : context_(EVP_MD_CTX_new()) {
    good_ =
      context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }

  void add(std::span<const uint8_t> bytes) {
    good_ =
      good_ && EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
  }

  expected<sha256> end() {
    sha256 result{};
    if (!good_ || !EVP_DigestFinal_ex(context_.get(), result.data(), nullptr))
      return fail(ec::io_failed, "SHA-256: OpenSSL has no memory");
    return result;
  }

private:
  std::unique_ptr<EVP_MD_CTX, context_deleter> context_;
  bool good_ = false;
};

int digit_of(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return -1;
}

} // namespace

std::string to_hex(const sha256& x) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string result;
  result.reserve(2 * x.size());
  for (const auto byte : x) {
    result += digits[byte >> 4];
    result += digits[byte & 15];
  }
  return result;
}

std::optional<sha256> from_hex(std::string_view text) {
  sha256 result{};
  if (text.size() != 2 * result.size())
    return std::nullopt;
  for (std::size_t i = 0; i < result.size(); ++i) {
    const int high = digit_of(text[2 * i]);
    const int low = digit_of(text[2 * i + 1]);
    if (high < 0 || low < 0)
      return std::nullopt;
    result[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return result;
}

expected<sha256> hash_bytes(std::span<const uint8_t> bytes) {
  hasher sum;
  sum.add(bytes);
  return sum.end();
}

uint64_t extent_count(uint64_t memory_bytes) {
  return memory_bytes / hash_extent_bytes
         + (memory_bytes % hash_extent_bytes != 0 ? 1 : 0);
}

expected<sha256> hash_file(const hash_job& job) {
  constexpr uint64_t piece_bytes = 1u << 20;
  if (auto whole = check_end(job); !whole)
    return tl::unexpected<failure>(whole.error());
  std::vector<uint8_t> piece(std::min(piece_bytes, job.bytes));
  hasher sum;
  for (uint64_t at = 0; at < job.bytes; at += piece.size()) {
    if (job.stop && job.stop())
      return fail(ec::interrupted, "stopped while " + job.path + " was read");
    piece.resize(std::min(piece_bytes, job.bytes - at));
    if (auto read = read_without_holes(job, piece, at); !read)
      return tl::unexpected<failure>(read.error());
    sum.add(piece);
  }
  return sum.end();
}

expected<std::string> hex_of_text(std::string_view text) {
  const auto hash = hash_bytes(
    std::span{reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  if (!hash)
    return tl::unexpected<failure>(hash.error());
  return to_hex(*hash);
}

expected<sha256> root_hash(const root_parts& parts) {
  std::vector<uint8_t> text;
  append(text, root_prefix);
  append(text, parts.memory_bytes);
  append(text, parts.extent_bytes);
  for (const auto& extent : parts.extents)
    append(text, extent);
  append(text, parts.vmstate_bytes);
  append(text, parts.vmstate);
  return hash_bytes(text);
}

expected<sha256> diff_root_hash(const diff_root_parts& parts) {
  std::vector<uint8_t> text;
  append(text, diff_root_prefix);
  append(text, parts.memory_bytes);
  append(text, parts.base);
  append(text, parts.runs);
  append(text, parts.extent_bytes);
  for (const auto& extent : parts.extents)
    append(text, extent);
  append(text, parts.vmstate_bytes);
  append(text, parts.vmstate);
  return hash_bytes(text);
}

} // namespace forkfleet
