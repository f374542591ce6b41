//! Conversion webhooks: from a `ConversionReview` (`apiextensions.k8s.io/v1`) to its answer.

use axum::extract::DefaultBodyLimit;
use axum::routing::post;
use axum::{Json, Router};
use kube::core::Status;
use kube::core::conversion::{ConversionRequest, ConversionResponse, ConversionReview};
use serde_json::Value;

/// Bytes of a review: the API server sends all objects of a list in one.
const LARGEST: usize = 256 << 20;

/// `path`, which converts by `convert`: an object, and the API version that it shall have.
pub fn routes<E: std::fmt::Display + 'static>(
    path: &str,
    convert: fn(Value, &str) -> Result<Value, E>,
) -> Router {
    let review = move |Json(review): Json<ConversionReview>| {
        std::future::ready(Json(answered(review, convert)))
    };
    Router::new()
        .route(path, post(review))
        .layer(DefaultBodyLimit::max(LARGEST))
}

/// Answers with all objects, in order, or with why one of them cannot be converted.
fn answered<E: std::fmt::Display>(
    review: ConversionReview,
    convert: fn(Value, &str) -> Result<Value, E>,
) -> ConversionReview {
    let mut request = match ConversionRequest::from_review(review) {
        Ok(request) => request,
        Err(error) => {
            return ConversionResponse::invalid(failure(&error)).into_review();
        }
    };
    let objects = std::mem::take(&mut request.objects);
    let converted: Result<Vec<Value>, E> = objects
        .into_iter()
        .map(|object| convert(object, &request.desired_api_version))
        .collect();
    let response = ConversionResponse::for_request(request);
    match converted {
        Ok(converted) => response.success(converted),
        Err(error) => response.failure(failure(&error)),
    }
    .into_review()
}

fn failure(error: &impl std::fmt::Display) -> Status {
    Status::failure(&error.to_string(), "Invalid")
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use axum::http::header::CONTENT_TYPE;
    use serde_json::json;
    use tower::ServiceExt;

    use super::*;

    /// Sets the version of what has a size.
    fn convert(mut object: Value, api_version: &str) -> Result<Value, String> {
        if object["size"].is_null() {
            return Err(format!("K {}: size is null", object["metadata"]["name"]));
        }
        object["apiVersion"] = api_version.into();
        Ok(object)
    }

    async fn ask(request: Option<Value>) -> Value {
        let mut review =
            json!({ "apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview" });
        if let Some(request) = request {
            review["request"] = request;
        }
        let request = Request::post("/convert")
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(review.to_string()))
            .expect("a request");
        let answer = routes("/convert", convert)
            .oneshot(request)
            .await
            .expect("an answer");
        let body = axum::body::to_bytes(answer.into_body(), LARGEST).await;
        serde_json::from_slice(&body.expect("a body")).expect("JSON")
    }

    fn request(objects: &[Value]) -> Option<Value> {
        Some(json!({ "uid": "1", "desiredAPIVersion": "g/v2", "objects": objects }))
    }

    #[tokio::test]
    async fn objects_come_back_in_order() {
        let object = |version: &str, size: u64| json!({ "apiVersion": version, "size": size });
        let answer = ask(request(&[object("g/v1", 1), object("g/v1", 2)])).await;
        assert_eq!(answer["apiVersion"], "apiextensions.k8s.io/v1");
        assert_eq!(answer["kind"], "ConversionReview");
        let response = &answer["response"];
        assert_eq!(response["uid"], "1");
        assert_eq!(response["result"]["status"], "Success");
        let converted = json!([object("g/v2", 1), object("g/v2", 2)]);
        assert_eq!(response["convertedObjects"], converted);
    }

    #[tokio::test]
    async fn a_large_list_is_taken() {
        let object = json!({ "apiVersion": "g/v1", "size": 1, "text": "x".repeat(10_000) });
        let answer = ask(request(&vec![object; 1_000])).await;
        let converted = answer["response"]["convertedObjects"].as_array();
        assert_eq!(converted.map(Vec::len), Some(1_000));
    }

    #[tokio::test]
    async fn a_failure_says_why_and_converts_nothing() {
        let named = json!({ "metadata": { "name": "a" } });
        let answer = ask(request(&[json!({ "size": 1 }), named])).await;
        let response = &answer["response"];
        assert_eq!(response["uid"], "1");
        assert_eq!(response["result"]["status"], "Failure");
        assert_eq!(response["result"]["message"], "K \"a\": size is null");
        assert_eq!(response["convertedObjects"], json!([]));
    }

    #[tokio::test]
    async fn a_review_without_a_request_fails() {
        let answer = ask(None).await;
        assert_eq!(answer["response"]["result"]["status"], "Failure");
    }
}
