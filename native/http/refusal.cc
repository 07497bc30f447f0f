#include "http/parse.h"

namespace sluice::http {

uint16_t status_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::target_too_long:
      return 414;
    case Refusal::unknown_expectation:
      return 417;
    case Refusal::head_too_large:
    case Refusal::too_many_fields:
      return 431;
    case Refusal::connect_refused:
      return 501;
    case Refusal::version_not_supported:
      return 505;
    default:
      return 400;
  }
}

const char* text_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::none:
      return "not refused";
    case Refusal::bad_request_line:
      return "malformed request line";
    case Refusal::bad_method:
      return "malformed method";
    case Refusal::bad_target:
      return "malformed request target";
    case Refusal::bad_version:
      return "malformed version";
    case Refusal::bad_status_line:
      return "malformed status line";
    case Refusal::bad_line_end:
      return "CR or LF alone";
    case Refusal::bad_field_name:
      return "malformed field name";
    case Refusal::bad_field_value:
      return "field value not allowed";
    case Refusal::folded_line:
      return "folded field line";
    case Refusal::host_missing:
      return "Host is missing";
    case Refusal::host_repeated:
      return "Host stands twice";
    case Refusal::bad_host:
      return "malformed Host";
    case Refusal::host_differs:
      return "Host differs from the target";
    case Refusal::bad_content_length:
      return "malformed or repeated Content-Length";
    case Refusal::bad_transfer_encoding:
      return "Transfer-Encoding other than chunked";
    case Refusal::length_and_encoding:
      return "Content-Length beside Transfer-Encoding";
    case Refusal::encoding_in_http10:
      return "Transfer-Encoding in HTTP/1.0";
    case Refusal::connect_refused:
      return "CONNECT";
    case Refusal::unknown_expectation:
      return "unknown expectation";
    case Refusal::version_not_supported:
      return "HTTP version not supported";
    case Refusal::target_too_long:
      return "request target too long";
    case Refusal::head_too_large:
      return "head too large";
    case Refusal::too_many_fields:
      return "too many fields";
    case Refusal::bad_chunk_size:
      return "malformed chunk size";
    case Refusal::bad_chunk_end:
      return "malformed end of a chunk";
    case Refusal::chunk_extension_too_long:
      return "chunk extension too long";
    case Refusal::bad_trailer:
      return "trailer not allowed";
  }
  return "unknown";
}

}  // namespace sluice::http
