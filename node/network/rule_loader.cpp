// SPDX-License-Identifier: Apache-2.0
#include "node/network/rule_loader.hpp"

#include <chrono>
#include <memory>

#include <nftables/libnftables.h>

#include "actors/schema/json.hpp"
#include "node/network/apart.hpp"
#include "node/network/nf_tables.hpp"

namespace forkfleet {

namespace {

using context_ptr = std::unique_ptr<nft_ctx, decltype(&nft_ctx_free)>;

/// What the kernel and the library say in one answer is no longer than this.
constexpr std::size_t reason_max = 400;

std::string one_line(std::string text) {
  for (auto& c : text)
    if (c == '\n')
      c = ' ';
  return text.substr(0, reason_max);
}

constexpr auto library_limit = std::chrono::seconds{30};

expected<std::string> ask_library(const std::string& commands, bool as_json) {
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

// The library ends its process when the kernel does not answer as it likes.
expected<std::string> run_commands(const std::string& commands, bool as_json) {
  if (auto there = find_nf_tables(); !there)
    return fail(there.error().code, "packet filter: " + there.error().message);
  return run_apart([&] { return ask_library(commands, as_json); },
                   library_limit);
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
