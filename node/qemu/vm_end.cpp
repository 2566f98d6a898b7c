// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/vm_end.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "actors/durable_file.hpp"
#include "node/keeper/vmm_child.hpp"
#include "node/qemu/machine.hpp"

namespace forkfleet::qemu {

namespace {

constexpr std::size_t told_bytes_max = 160;
constexpr std::size_t tail_bytes_max = 16384;
constexpr std::string_view panic_words = "Kernel panic - not syncing";

// Its words for why it ended, and ours.
constexpr auto reasons =
  std::to_array<std::pair<std::string_view, std::string_view>>({
    {"guest-shutdown", "its guest powered off"},
    {"guest-reset", "its guest restarted or crashed: its machine was reset"},
    {"guest-panic", "its guest panicked"},
    {"host-qmp-quit", "its VMM was told to quit over its own socket"},
    {"host-signal", "its VMM was ended by a signal from its host"},
    {"host-error", "its VMM ended by an error of its own"},
  });

// The end of a file; empty when it cannot be read.
std::string tail_of(const std::string& path) {
  const auto file = unique_fd{
    ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  struct stat info = {};
  if (!file || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode))
    return {};
  auto text =
    std::string(std::min<std::size_t>(tail_bytes_max,
                                      static_cast<std::size_t>(info.st_size)),
                '\0');
  const auto begin = info.st_size - static_cast<off_t>(text.size());
  const auto got = ::pread(file.get(), text.data(), text.size(), begin);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

// What others wrote, bounded and printable.
std::string printable_part(std::string_view text) {
  auto result = std::string{text.substr(0, told_bytes_max)};
  std::ranges::replace_if(
    result, [](unsigned char c) { return c < ' ' || c > '~'; }, '?');
  return result;
}

std::string last_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r'))
    text.pop_back();
  const auto begin = text.rfind('\n');
  return printable_part(begin == std::string::npos
                          ? std::string_view{text}
                          : std::string_view{text}.substr(begin + 1));
}

// What the guest's kernel said of its own end.
std::string panic_of(const std::string& directory) {
  const auto text = tail_of(directory + "/" + console_file);
  const auto begin = text.rfind(panic_words);
  if (begin == std::string::npos)
    return {};
  const auto end = text.find_first_of("\r\n", begin);
  return "; its console says: "
         + printable_part(std::string_view{text}.substr(
           begin, end == std::string::npos ? end : end - begin));
}

std::string signal_text(uint64_t number) {
  const char* name = ::sigabbrev_np(static_cast<int>(number));
  return name ? fmt::format("signal {} (SIG{})", number, name)
              : fmt::format("signal {}", number);
}

// What the keeper wrote down when it reaped the VM.
std::string reaped_end(const end_witness& seen) {
  const auto text = read_small_file(seen.directory + "/" + keeper::exit_file);
  const auto value =
    text ? schema::parse_json(*text) : tl::unexpected<failure>(text.error());
  if (!value
      || number_member(*value, "pid")
           != static_cast<uint64_t>(seen.process.pid))
    return {};
  // It said that it ends, and was killed because it did not.
  if (const auto told = text_member(*value, "told"); !told.empty())
    return describe_reason(told);
  if (const auto number = number_member(*value, "signal"); number != 0)
    return "its VMM was killed by " + signal_text(number);
  const auto status = number_member(*value, "status");
  if (status == 0)
    return "its VMM exited with status 0";
  return fmt::format("its VMM exited with status {}: {}", status,
                     last_line(tail_of(seen.directory + "/" + seen.log)));
}

} // namespace

std::string describe_reason(const std::string& reason) {
  for (const auto& [word, text] : reasons)
    if (word == reason)
      return std::string{text};
  return "its VMM shut down: " + printable_part(reason);
}

std::string describe_end(const end_witness& seen) {
  const auto reason =
    seen.shutdown ? text_member(seen.shutdown->data, "reason") : std::string{};
  if (!reason.empty()) {
    const bool may_be_panic =
      reason == "guest-reset" || reason == "guest-panic";
    return describe_reason(reason)
           + (may_be_panic ? panic_of(seen.directory) : std::string{});
  }
  if (auto text = reaped_end(seen); !text.empty())
    return text + panic_of(seen.directory);
  return "its VM ended; how is not known";
}

} // namespace forkfleet::qemu
