// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <filesystem>

#include "actors/schema/units.hpp"
#include "node/bench/pause_run.hpp"

namespace forkfleet::bench {

namespace {

constexpr uint64_t rate_max = 4096;

expected<std::vector<uint64_t>> memories_of(const config::invocation& given,
                                            std::vector<uint64_t> usual) {
  std::vector<uint64_t> result;
  for (const auto& text : given.texts("memory")) {
    const auto bytes = schema::parse_bytes(text);
    if (!bytes || *bytes >> 20 < 64)
      return fail(ec::invalid_request,
                  "--memory " + text + ": give at least 64MiB");
    result.push_back(*bytes >> 20);
  }
  return result.empty() ? usual : result;
}

expected<std::vector<uint64_t>> rates_of(const config::invocation& given,
                                         std::vector<uint64_t> usual) {
  std::vector<uint64_t> result;
  for (const auto& text : given.texts("rate")) {
    uint64_t rate = 0;
    const auto* end = text.data() + text.size();
    if (std::from_chars(text.data(), end, rate).ptr != end || rate > rate_max)
      return fail(ec::invalid_request,
                  "--rate " + text + ": give MiB a second, at most 4096");
    result.push_back(rate);
  }
  return result.empty() ? usual : result;
}

std::vector<capture_way> ways_of(const config::invocation& given) {
  using enum capture_way;
  if (given.verb->path == "floor")
    return {diff, full, live, hand_background};
  std::vector<capture_way> result;
  const auto chosen = given.texts("method");
  for (const auto way : {diff, full, live, stopped, attached})
    if (chosen.empty()
        || std::find(chosen.begin(), chosen.end(), to_string(way))
             != chosen.end())
      result.push_back(way);
  return result;
}

} // namespace

expected<pause_plan> pause_plan_of(const config::invocation& given) {
  const auto is_floor = given.verb->path == "floor";
  const auto memories =
    memories_of(given, is_floor ? std::vector<uint64_t>{256, 2048}
                                : std::vector<uint64_t>{256, 1024, 2048});
  if (!memories)
    return tl::unexpected(memories.error());
  const auto rates =
    rates_of(given, is_floor ? std::vector<uint64_t>{100}
                             : std::vector<uint64_t>{0, 50, 200});
  if (!rates)
    return tl::unexpected(rates.error());
  std::error_code ignored;
  const auto guest =
    std::filesystem::absolute(given.text("guest"), ignored).string();
  for (const auto* file : {"/vmlinuz", "/initrd.img"})
    if (!std::filesystem::exists(guest + file))
      return fail(ec::invalid_request,
                  "no example guest: " + guest + file
                    + " is not there; make it with ./dev guest or name its "
                      "directory with --guest");
  return pause_plan{
    .name = given.verb->path,
    .memories = *memories,
    .rates = *rates,
    .ways = ways_of(given),
    .captures = given.number("captures").value_or(5),
    .checks = is_floor ? 0 : given.number("check").value_or(200),
    .guest_directory = guest,
    .directory =
      std::filesystem::absolute(given.text("directory"), ignored).string(),
    .limit = given.duration("limit").value_or(std::chrono::minutes{20})};
}

} // namespace forkfleet::bench
