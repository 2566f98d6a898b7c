// SPDX-License-Identifier: Apache-2.0
#include "node/keeper/options.hpp"

#include <charconv>

namespace forkfleet::keeper {

const char* const usage =
  "forkfleet-keeper --directory DIR [--watchdog SOCKET] [--leash PID] "
  "[--preload LIBRARY [--overlay FILE]] [--record FILE] [--cgroup DIR] "
  "[--netns FILE] [--log NAME] [-- VMM ARGUMENT...]\n"
  "Starts and guards one VM for forkfleet-node, which calls it.\n";

namespace {

status take_leash(const std::string& text, options& result) {
  const auto* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, result.leash_pid);
  if (read.ec != std::errc{} || read.ptr != end || result.leash_pid <= 0)
    return fail(ec::invalid_request, "--leash " + text + ": not a process id");
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
    const auto& value = arguments[i + 1];
    if (name == "--directory")
      result.directory = value;
    else if (name == "--watchdog")
      result.watchdog = value;
    else if (name == "--preload")
      result.preload = value;
    else if (name == "--overlay")
      result.overlay = value;
    else if (name == "--record")
      result.record = value;
    else if (name == "--cgroup")
      result.cgroup = value;
    else if (name == "--netns")
      result.space = value;
    else if (name == "--log")
      result.log = value;
    else if (name != "--leash")
      return fail(ec::invalid_request, name + ": unknown option");
    else if (auto taken = take_leash(value, result); !taken)
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
