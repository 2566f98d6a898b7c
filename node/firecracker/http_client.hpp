// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 over a Unix socket, one request at a time: all that Firecracker's
// API needs. Each call has a deadline and each answer a limit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "actors/unique_fd.hpp"
#include "node/qemu/socket_server.hpp"
#include "node/vmm.hpp"

namespace forkfleet::firecracker {

/// The longest head and the longest body of an answer.
inline constexpr uint32_t http_head_max = 8 << 10;
inline constexpr std::size_t http_body_max = 1 << 20;

enum class http_verb : uint8_t { get, put, patch };

struct http_request {
  http_verb verb = http_verb::get;
  std::string target = "/";
  std::string body = {}; // JSON; empty: none
};

struct http_answer {
  unsigned code = 0;
  std::string body = {};
};

/// A connection that is made when it is needed and kept. Used by one thread
/// at a time. Errors name the socket: vmm_unreachable, deadline_exceeded, and
/// vmm_gone or vmm_unreachable when another process has taken the first one's
/// place. A request that failed may have been done all the same.
class http_client {
public:
  /// `known` is the process that must serve it; none: whoever does.
  explicit http_client(std::string path, const qemu::process_id& known = {})
    : path_{std::move(path)}, server_{known} {}

  const std::string& path() const { return path_; }

  expected<http_answer> call(const http_request& request, deadline_point until);

  /// Forgets the connection; the next call makes another.
  void close() { socket_.reset(); }

private:
  status connect(deadline_point until);
  expected<http_answer> read_answer(deadline_point until);

  std::string path_;
  qemu::socket_server server_;
  unique_fd socket_ = {};
};

} // namespace forkfleet::firecracker
