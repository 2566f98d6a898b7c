// SPDX-License-Identifier: Apache-2.0
#include "node/keeper/options.hpp"

#include <charconv>
#include <map>
#include <string_view>

namespace forkfleet::keeper {

const char* const usage =
  "forkfleet-keeper --directory DIR [--watchdog SOCKET] [--leash PID] "
  "[--preload LIBRARY [--overlay FILE]] [--record FILE] [--cgroup DIR] "
  "[--netns FILE] [--output BYTES] [--uid UID] [--log NAME] "
  "[-- VMM ARGUMENT...]\n"
  "Starts and guards one VM for forkfleet-node, which calls it.\n";

namespace {

template <class Number>
status take_number(const std::string& name, const std::string& text,
                   Number& result) {
  const auto* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, result);
  if (read.ec != std::errc{} || read.ptr != end || result <= 0)
    return fail(ec::invalid_request, name + " " + text + ": not a number");
  return {};
}

status take_option(const std::string& name, const std::string& value,
                   options& result) {
  if (name == "--leash")
    return take_number(name, value, result.leash_pid);
  if (name == "--output")
    return take_number(name, value, result.output_bytes);
  if (name == "--uid")
    return take_number(name, value, result.uid);
  const auto texts = std::map<std::string_view, std::string*>{
    {"--directory", &result.directory}, {"--watchdog", &result.watchdog},
    {"--preload", &result.preload},     {"--overlay", &result.overlay},
    {"--record", &result.record},       {"--cgroup", &result.cgroup},
    {"--netns", &result.space},         {"--log", &result.log}};
  const auto found = texts.find(name);
  if (found == texts.end())
    return fail(ec::invalid_request, name + ": unknown option");
  *found->second = value;
  return {};
}

} // namespace

expected<options> parse_options(const std::vector<std::string>& arguments) {
  auto result = options{};
  for (std::size_t i = 0; i < arguments.size(); i += 2) {
    const auto& name = arguments[i];
    if (name == "--") {
      const auto first = arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1;
      result.vmm.assign(first, arguments.end());
      break;
    }
    if (i + 1 == arguments.size())
      return fail(ec::invalid_request, name + ": lacks its value");
    if (auto taken = take_option(name, arguments[i + 1], result); !taken)
      return tl::unexpected(taken.error());
  }
  if (result.directory.empty())
    return fail(ec::invalid_request, "--directory is missing");
  if (result.log.empty() || result.log.find('/') != std::string::npos)
    return fail(ec::invalid_request,
                "--log " + result.log + ": not the name of a file");
  if (!result.overlay.empty() && result.preload.empty())
    return fail(ec::invalid_request, "--overlay needs --preload");
  return result;
}

} // namespace forkfleet::keeper
