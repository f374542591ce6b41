//! Validating webhooks: from an `AdmissionReview` (`admission.k8s.io/v1`) to its answer.

use axum::Json;
use kube::core::admission::{AdmissionResponse, AdmissionReview};
use kube::core::{DynamicObject, Status};
use serde::de::DeserializeOwned;

pub use kube::core::admission::Operation;

/// What a webhook gets and returns.
pub type Review = Json<AdmissionReview<DynamicObject>>;
/// What is asked.
pub type Request = kube::core::admission::AdmissionRequest<DynamicObject>;

/// Why a request is refused, as the user reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal(Box<Status>);

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self(Box::new(status))
    }
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Status {
            message,
            ..Status::default()
        }
        .into()
    }
}

/// Answers a review by what `decide` says.
pub async fn answered(
    Json(review): Review,
    decide: impl AsyncFnOnce(&Request) -> Result<(), Refusal>,
) -> Review {
    let request: Request = match review.try_into() {
        Ok(request) => request,
        Err(error) => {
            return Json(
                AdmissionResponse::invalid(format!("no admission request: {error}")).into_review(),
            );
        }
    };
    let mut response = AdmissionResponse::from(&request);
    if let Err(Refusal(status)) = decide(&request).await {
        response.allowed = false;
        response.result = *status;
    }
    Json(response.into_review())
}

/// The object of a request as one of its kind.
///
/// # Errors
/// When it is none, or there is none.
pub fn parse<K: DeserializeOwned>(object: Option<&DynamicObject>) -> Result<K, Refusal> {
    let object = object.ok_or_else(|| "the request holds no object".to_owned())?;
    let json = serde_json::to_value(object).map_err(|error| error.to_string())?;
    serde_json::from_value(json)
        .map_err(|error| format!("the object cannot be read: {error}").into())
}

#[cfg(test)]
mod tests {
    use kube::core::Status;
    use serde_json::{Value, json};

    use super::*;

    async fn ask(request: Value, answer: Result<(), Refusal>) -> Value {
        let review = json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                             "request": request });
        let review = serde_json::from_value(review).expect("a review");
        let Json(review) = answered(Json(review), async |_| answer).await;
        serde_json::to_value(review).expect("JSON")
    }

    fn request() -> Value {
        let kind = json!({ "group": "g", "version": "v1", "kind": "K" });
        let resource = json!({ "group": "g", "version": "v1", "resource": "ks" });
        json!({ "uid": "1", "kind": kind, "resource": resource, "name": "x", "operation": "CREATE",
                "userInfo": {}, "object": {} })
    }

    #[tokio::test]
    async fn an_answer_carries_the_uid_and_the_whole_status() {
        let answer = ask(request(), Ok(())).await;
        assert_eq!(answer["response"]["uid"], "1");
        assert_eq!(answer["response"]["allowed"], true);
        let status = Status::failure("spec.x: wrong", "Invalid").with_code(422);
        let answer = ask(request(), Err(status.into())).await;
        assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
        assert_eq!(answer["response"]["allowed"], false);
        assert_eq!(answer["response"]["status"]["code"], 422);
        assert_eq!(answer["response"]["status"]["message"], "spec.x: wrong");
    }

    #[tokio::test]
    async fn a_review_without_a_request_is_refused() {
        let answer = ask(Value::Null, Ok(())).await;
        assert_eq!(answer["response"]["allowed"], false);
    }

    #[test]
    fn what_cannot_be_read_says_which_field() {
        #[derive(Debug, serde::Deserialize)]
        #[allow(dead_code)]
        struct Kind {
            size: u8,
        }
        let object = json!({ "apiVersion": "g/v1", "kind": "K", "metadata": {}, "size": "much" });
        let object: DynamicObject = serde_json::from_value(object).expect("an object");
        let Refusal(status) = parse::<Kind>(Some(&object)).expect_err("no number");
        assert!(status.message.contains("much"), "{}", status.message);
        parse::<Kind>(None).expect_err("no object");
    }
}
