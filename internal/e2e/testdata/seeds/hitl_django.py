# Django integration example
from django.http import JsonResponse
from django.views.decorators.csrf import csrf_exempt
import json


class HITLService:
    def __init__(self, api_key):
        self.client = HITLClient(api_key)

    def submit_content_review(self, content, user_id):
        """Submit content for human review"""
        request_data = {
            "content": content,
            "content_type": "text",
            "priority": "normal",
            "metadata": {
                "user_id": str(user_id),
                "timestamp": timezone.now().isoformat()
            }
        }

        response = self.client.create_request("content_moderation", request_data)
        return response["id"]

    def handle_webhook(self, payload):
        """Process webhook notifications"""
        event_type = payload["event"]

        if event_type == "request.completed":
            self.process_completed_request(payload["data"])
        elif event_type == "request.escalated":
            self.handle_escalation(payload["data"])


# Django view for webhook handling
@csrf_exempt
def hitl_webhook(request):
    if request.method == 'POST':
        payload = json.loads(request.body)
        hitl_service = HITLService(settings.HITL_API_KEY)
        hitl_service.handle_webhook(payload)
        return JsonResponse({"status": "success"})

    return JsonResponse({"error": "Method not allowed"}, status=405)
