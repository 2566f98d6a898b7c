// SPDX-License-Identifier: Apache-2.0
#include "node/storage/data_directory.hpp"

#include <array>
#include <cerrno>
#include <sys/random.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include "actors/durable_file.hpp"

namespace forkfleet {

namespace {

constexpr std::size_t identity_bytes = 16;

expected<std::string> random_identity() {
  auto bytes = std::array<unsigned char, identity_bytes>{};
  if (::getrandom(bytes.data(), bytes.size(), 0)
      != static_cast<ssize_t>(bytes.size()))
    return tl::unexpected<failure>(errno_failure(errno, "getrandom"));
  auto text = std::string{};
  for (const auto byte : bytes)
    text += fmt::format("{:02x}", byte);
  return text;
}

bool is_identity(const std::string& text) {
  return text.size() == 2 * identity_bytes
         && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

} // namespace

expected<std::shared_ptr<const data_directory>>
data_directory::open(const std::string& path) {
  if (auto made = make_directories(path); !made)
    return tl::unexpected<failure>(made.error());
  auto lock = directory_lock::take(path);
  if (!lock)
    return tl::unexpected<failure>(lock.error());
  const std::shared_ptr<const data_directory> result{
    new data_directory(path, std::move(*lock))};
  for (const auto& each : {result->snapshots(), result->staging(),
                           result->operations(), result->sandboxes()})
    if (auto made = make_directory(each); !made)
      return tl::unexpected<failure>(made.error());
  if (auto synced = sync_directory(path); !synced)
    return tl::unexpected<failure>(synced.error());
  return result;
}

expected<std::string> data_directory::identity() const {
  const auto path = path_ + "/identity";
  struct stat info = {};
  // Only what is certainly not there is made anew.
  if (::lstat(path.c_str(), &info) != 0 && errno == ENOENT) {
    auto made = random_identity();
    if (!made)
      return made;
    auto kept = write_durably(path, *made + "\n");
    if (!kept && kept.error().code != ec::disk_full)
      return tl::unexpected<failure>(kept.error());
    return made;
  }
  auto text = read_small_file(path);
  if (!text)
    return text;
  if (!text->empty() && text->back() == '\n')
    text->pop_back();
  if (!is_identity(*text))
    return fail(ec::io_failed,
                path
                  + " holds no identity of 32 hexadecimal digits; remove it, "
                    "and the node makes another");
  return text;
}

} // namespace forkfleet
