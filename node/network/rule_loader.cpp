// SPDX-License-Identifier: Apache-2.0
#include "node/network/rule_loader.hpp"

#include <memory>
#include <mutex>

#include <nftables/libnftables.h>

#include "actors/schema/json.hpp"

namespace forkfleet {

namespace {

using context_ptr = std::unique_ptr<nft_ctx, decltype(&nft_ctx_free)>;

/// What the kernel and the library say in one answer is no longer than this.
constexpr std::size_t reason_max = 400;

/// libnftables has tables of its own that are not guarded.
std::mutex library_mutex;

std::string one_line(std::string text) {
  for (auto& c : text)
    if (c == '\n')
      c = ' ';
  return text.substr(0, reason_max);
}

expected<std::string> run_commands(const std::string& commands, bool as_json) {
  const std::lock_guard lock{library_mutex};
  const auto context = context_ptr{nft_ctx_new(NFT_CTX_DEFAULT), &nft_ctx_free};
  if (!context || nft_ctx_buffer_output(context.get()) != 0
      || nft_ctx_buffer_error(context.get()) != 0)
    return fail(ec::io_failed, "libnftables cannot be used");
  if (as_json)
    nft_ctx_output_set_flags(context.get(), NFT_CTX_OUTPUT_JSON);
  if (nft_run_cmd_from_buffer(context.get(), commands.c_str()) == 0)
    return std::string{nft_ctx_get_output_buffer(context.get())};
  const auto why = one_line(nft_ctx_get_error_buffer(context.get()));
  const bool is_denied = why.find("Operation not permitted") != why.npos;
  return fail(is_denied ? ec::not_permitted : ec::io_failed,
              "packet filter: " + why);
}

} // namespace

status load_rules(const std::string& commands) {
  const auto done = run_commands(commands, false);
  return done ? status{} : tl::unexpected(done.error());
}

expected<std::vector<std::string>> rule_tables() {
  const auto text = run_commands("list tables inet\n", true);
  if (!text)
    return tl::unexpected(text.error());
  const auto value = schema::parse_json(*text);
  if (!value)
    return tl::unexpected<failure>(value.error());
  std::vector<std::string> result;
  const auto list = value->find("nftables");
  if (list == value->end() || !list->is_array())
    return result;
  for (const auto& entry : *list)
    if (const auto table = entry.find("table"); table != entry.end())
      result.push_back(table->value("name", std::string{}));
  return result;
}

} // namespace forkfleet
